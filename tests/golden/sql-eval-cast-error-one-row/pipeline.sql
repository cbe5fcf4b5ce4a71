-- A CAST that fails costs the one row, which goes to the error lake as sql_eval.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CAST(s AS INT) AS n FROM events;
