CREATE TABLE changes (id BIGINT NOT NULL, name STRING) WITH ('connector' = 'file', 'path' = 'changes.ndjson', 'format' = 'debezium-json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM changes;
