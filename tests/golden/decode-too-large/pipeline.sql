-- An event above json.max-size is too_large.
CREATE TABLE events (
  id INT,
  s STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.max-size' = '40 b'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
