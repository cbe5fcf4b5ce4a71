-- BYTES pass through SQL; their hash in hexadecimal.
CREATE TABLE events (
  id INT,
  b BYTES
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, b, ENCODE(b, 'hex') AS hex, MD5(b) AS m FROM events;
