-- UNNEST of an array of rows gives the fields as columns.
CREATE TABLE events (
  id INT,
  items ARRAY<ROW<sku STRING, qty INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT o.id, i.sku, i.qty FROM events AS o CROSS JOIN UNNEST(o.items) AS i (sku, qty);
