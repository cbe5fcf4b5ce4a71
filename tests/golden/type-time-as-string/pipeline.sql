-- Delta has no TIME: a TIME column is read, and written as text after a CAST.
CREATE TABLE events (
  id INT,
  t TIME(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CAST(t AS STRING) AS t FROM events;
