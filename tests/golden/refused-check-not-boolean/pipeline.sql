-- A CHECK that is no condition.
CREATE TABLE events (
  id INT,
  CHECK (id + 1)
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
