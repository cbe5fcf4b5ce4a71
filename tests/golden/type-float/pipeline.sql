-- FLOAT is a 32-bit number; what it cannot hold is out_of_range.
CREATE TABLE events (
  id INT,
  v FLOAT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
