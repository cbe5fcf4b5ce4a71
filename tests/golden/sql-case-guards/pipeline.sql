-- CASE evaluates a branch only for the rows that take it: it guards a division and a CAST.
CREATE TABLE events (
  id INT,
  a INT,
  b INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, CASE WHEN b = 0 THEN 0 ELSE a / b END AS q,
       CASE WHEN REGEXP_LIKE(s, '^[0-9]+$') THEN CAST(s AS INT) END AS n
FROM events;
