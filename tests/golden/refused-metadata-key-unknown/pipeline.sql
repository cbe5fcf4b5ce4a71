-- A METADATA key that is not there.
CREATE TABLE events (
  id INT,
  o BIGINT METADATA FROM 'ofset'
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
