-- LEFT JOIN UNNEST ... ON TRUE keeps events without elements, as one row of NULLs.
CREATE TABLE events (
  id INT,
  items ARRAY<ROW<sku STRING, qty INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, sku, qty FROM events LEFT JOIN UNNEST(items) AS i (sku, qty) ON TRUE;
