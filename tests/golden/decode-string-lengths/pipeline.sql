-- Strings of every length around the width of a vector register, with an escape at the end of each second one.
CREATE TABLE events (
  n INT,
  s STRING,
  t STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
