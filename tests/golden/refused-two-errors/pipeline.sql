-- One check names every mistake it can see, not only the first.
CREATE TABLE events (
  id BIGNIT,
  name STRNG
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id FROM events;
