-- Arithmetic and math functions.
CREATE TABLE events (
  id INT,
  a INT,
  d DOUBLE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, a + 1 AS plus, a * 2 - 3 AS mixed, a % 3 AS rest, ABS(d) AS absolute, CAST(FLOOR(d) AS INT) AS low,
       CAST(CEIL(d) AS INT) AS high, SQRT(ABS(d) + 0.25) AS root, CAST(POWER(a, 2) AS BIGINT) AS square, ROUND(d / 2, 1) AS rounded
FROM events;
