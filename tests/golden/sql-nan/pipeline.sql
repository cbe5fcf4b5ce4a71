-- A DOUBLE that is not a number is printed as "NaN", infinity as "Infinity".
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CAST(s AS DOUBLE) AS d FROM events;
