-- COALESCE and NULLIF.
CREATE TABLE events (
  id INT,
  a STRING,
  b STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, COALESCE(a, b, 'none') AS c, NULLIF(a, b) AS d FROM events;
