-- 'json.duplicate-keys' = 'last': the last value wins.
CREATE TABLE events (
  id INT,
  name STRING,
  tags ARRAY<INT>
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.duplicate-keys' = 'last'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
