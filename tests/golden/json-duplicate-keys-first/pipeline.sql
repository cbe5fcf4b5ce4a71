-- 'json.duplicate-keys' = 'first': the first value wins.
CREATE TABLE events (
  id INT,
  name STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.duplicate-keys' = 'first'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
