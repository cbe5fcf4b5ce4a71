-- A query may stand in FROM, also as WITH.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
WITH priced AS (SELECT id, qty + 1 AS q FROM events)
SELECT id, q FROM (SELECT id, q FROM priced WHERE q > 2) AS x;
