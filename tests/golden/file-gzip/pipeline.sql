-- A gzip file is read by its name; offsets count uncompressed bytes.
CREATE TABLE events (
  id INT,
  at_byte BIGINT METADATA FROM 'offset'
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
