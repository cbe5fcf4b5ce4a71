-- BYTES are base64 in JSON unless told otherwise.
CREATE TABLE events (
  id INT,
  b BYTES
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
