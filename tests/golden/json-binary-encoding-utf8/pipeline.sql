-- 'json.binary-encoding' = 'utf8': BYTES are the string's own bytes.
CREATE TABLE events (
  id INT,
  b BYTES
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.binary-encoding' = 'utf8'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
