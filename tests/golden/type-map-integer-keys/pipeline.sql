-- Integer keys of a MAP are read from the keys of the object.
CREATE TABLE events (
  id INT,
  m MAP<INT, STRING>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
