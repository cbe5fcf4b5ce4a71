-- BOOLEAN takes true, false and null; a string or a number is wrong_type.
CREATE TABLE events (
  id INT,
  ok BOOLEAN
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
