-- 'json.null-literals': these strings mean null, so a NOT NULL column refuses them.
CREATE TABLE events (
  id INT NOT NULL,
  s STRING,
  d DOUBLE
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.null-literals' = 'N/A,-'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
