-- Strings longer than the statistics keep, with characters of several bytes at the cut.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
