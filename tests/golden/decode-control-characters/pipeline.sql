-- Control characters have to be escaped in strings; a NUL is no white space.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
