-- A field of an element of an array of rows.
CREATE TABLE events (
  id INT,
  items ARRAY<ROW<sku STRING, qty INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, items[1].sku AS sku, cardinality(items) AS n FROM events;
