-- ARRAY: empty, null, null elements, and arrays of arrays.
CREATE TABLE events (
  id INT,
  tags ARRAY<STRING>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
