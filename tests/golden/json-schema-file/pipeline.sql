-- A JSON Schema makes the columns and the CHECKs.
CREATE TABLE orders (
  `offset` BIGINT METADATA
) WITH (
  'connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json', 'json.schema-file' = 'order.schema.json'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, status, amount, placed_at, customer.zip AS zip, tags[1] AS tag, attrs['k'] AS k FROM orders;
