-- Fields may come in any order, and with any white space.
CREATE TABLE events (
  a INT,
  b INT,
  c INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
