-- WHERE and expressions after an UNNEST see its rows.
CREATE TABLE events (
  id INT,
  items ARRAY<ROW<sku STRING, qty INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, UPPER(sku) AS sku, qty * 10 AS tens FROM events CROSS JOIN UNNEST(items) AS i (sku, qty) WHERE qty > 1;
