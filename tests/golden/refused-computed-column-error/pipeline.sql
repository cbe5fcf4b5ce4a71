-- A computed column over a column that is not there, at its place.
CREATE TABLE events (
  id INT,
  twice AS idd * 2
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
