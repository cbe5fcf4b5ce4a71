-- IN, BETWEEN, LIKE and their negations.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, customer IN ('Ada', 'Cem') AS listed, qty BETWEEN 1 AND 2 AS few, customer LIKE '_o%' AS o,
       customer NOT LIKE 'A%' AS not_a
FROM events;
