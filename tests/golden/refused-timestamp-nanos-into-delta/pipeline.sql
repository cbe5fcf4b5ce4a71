-- Delta keeps microseconds: TIMESTAMP(9) is refused, and the CAST named.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(9)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, ts FROM events;
