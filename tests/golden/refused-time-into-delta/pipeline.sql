-- Delta has no TIME: refused with a hint.
CREATE TABLE events (
  id INT,
  t TIME
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, t FROM events;
