CREATE TABLE orders WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'json.schema-file' = 'order.schema.json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM orders;
