-- More digits of a second than the column has are bad_timestamp, never cut off; zeros change nothing.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
