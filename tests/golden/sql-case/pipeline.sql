-- CASE in both forms; without ELSE it gives NULL.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id,
       CASE WHEN qty IS NULL THEN 'none' WHEN qty > 5 THEN 'many' ELSE 'few' END AS size,
       CASE customer WHEN 'Ada' THEN 1 WHEN 'Bob' THEN 2 END AS number
FROM events;
