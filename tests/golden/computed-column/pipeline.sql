-- A computed column is an expression over the other columns, in its declared place.
CREATE TABLE events (
  id INT,
  total AS price * qty,
  price INT,
  qty INT,
  day AS CAST(ts AS DATE),
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
