-- Integers take integral numbers only: no fraction, no string, no boolean.
CREATE TABLE events (
  id INT,
  n BIGINT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
