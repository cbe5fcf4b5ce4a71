-- Literals of each kind, a quote inside a string, and a typed NULL.
CREATE TABLE events (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, 'it''s' AS s, 42 AS i, 1.5 AS f, TRUE AS b, DATE '2026-11-21' AS d,
       CAST(NULL AS STRING) AS n, CAST(TIMESTAMP '2026-11-21 13:00:00' AS TIMESTAMP(3)) AS ts
FROM events;
