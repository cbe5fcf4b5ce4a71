-- A view with UNION ALL and UNNEST inside, read with a filter.
CREATE TABLE events (
  id INT,
  tags ARRAY<STRING>,
  name STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TEMPORARY VIEW words AS
SELECT id, tag AS word FROM events CROSS JOIN UNNEST(tags) AS t (tag)
UNION ALL
SELECT id, name FROM events WHERE name IS NOT NULL;

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, UPPER(word) AS word FROM words WHERE word <> 'b';
