-- An expression that fails inside WHERE is an error of that row too, not a filtered row.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id FROM events WHERE CAST(s AS INT) > 10;
