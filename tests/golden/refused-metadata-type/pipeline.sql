-- A METADATA column with a type its key does not have.
CREATE TABLE events (
  id INT,
  o ARRAY<INT> METADATA FROM 'offset'
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
