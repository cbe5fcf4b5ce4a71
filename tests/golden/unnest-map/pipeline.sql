-- UNNEST of a map gives its keys and values.
CREATE TABLE events (
  id INT,
  m MAP<STRING, INT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, k, v FROM events CROSS JOIN UNNEST(m) AS e (k, v);
