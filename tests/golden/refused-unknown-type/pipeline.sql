-- A misspelt type, with the near one suggested.
CREATE TABLE events (
  id BIGNIT NOT NULL
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
