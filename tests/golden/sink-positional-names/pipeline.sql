-- Columns are matched by position, not by name, as in Flink.
CREATE TABLE events (
  a STRING,
  b STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  b STRING,
  a STRING
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT a, b FROM events;
