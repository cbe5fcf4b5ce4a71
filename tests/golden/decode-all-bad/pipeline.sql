-- Input without one good event: an empty table, and every event in the error lake.
CREATE TABLE events (
  id INT NOT NULL
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
