-- DECIMAL arithmetic is exact.
CREATE TABLE events (
  id INT,
  price DECIMAL(10, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CAST(price * qty AS DECIMAL(12, 2)) AS total, CAST(price + 0.01 AS DECIMAL(12, 2)) AS more FROM events;
