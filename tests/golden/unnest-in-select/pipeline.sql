-- UNNEST in the SELECT list.
CREATE TABLE events (
  id INT,
  n ARRAY<INT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, UNNEST(n) AS v FROM events;
