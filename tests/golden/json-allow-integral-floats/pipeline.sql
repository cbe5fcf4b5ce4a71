-- 'json.allow-integral-floats': 10.0 and 1e3 are integers then; 10.5 is not.
CREATE TABLE events (
  n INT
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.allow-integral-floats' = 'true'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
