-- TIMESTAMP takes the ISO-8601 forms. With an offset the time is converted to UTC, without one it is UTC.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
