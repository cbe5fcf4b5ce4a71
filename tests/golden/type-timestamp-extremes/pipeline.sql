-- The first and the last day that can be named, and the beginning of 1970.
CREATE TABLE events (
  id INT,
  d DATE,
  ts TIMESTAMP(6)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
