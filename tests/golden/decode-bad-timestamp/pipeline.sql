-- A moment that does not exist, or is no ISO-8601 text, is bad_timestamp; a number is wrong_type.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
