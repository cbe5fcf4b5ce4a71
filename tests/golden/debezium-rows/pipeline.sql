-- Debezium's change events as rows, one an operation, with and without the schema beside the payload.
CREATE TABLE changes (
  id BIGINT NOT NULL, name STRING, op STRING
) WITH (
  'connector' = 'file', 'path' = 'changes.ndjson', 'format' = 'debezium-json',
  'debezium-json.as' = 'rows', 'debezium-json.op-column' = 'op'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, name, op, op = 'd' AS deleted FROM changes WHERE id < 100;
