-- A function that refuses its argument is sql_eval for that row.
CREATE TABLE events (
  id INT,
  d DOUBLE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, SQRT(d) AS root FROM events;
