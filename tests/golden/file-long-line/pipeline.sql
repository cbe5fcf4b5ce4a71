-- A line much longer than its neighbours.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CHAR_LENGTH(s) AS n FROM events;
