-- TIMESTAMP(6) keeps microseconds.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(6)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
