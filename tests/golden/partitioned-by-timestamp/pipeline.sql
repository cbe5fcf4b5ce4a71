-- Timestamps and decimals as partition columns.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(6),
  price DECIMAL(6, 2)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake', 'partition-by' = 'ts,price');

INSERT INTO lake SELECT * FROM events;
