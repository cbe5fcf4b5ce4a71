-- A key given twice in a MAP is an error.
CREATE TABLE events (
  id INT,
  m MAP<STRING, INT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
