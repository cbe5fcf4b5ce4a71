-- String functions and concatenation.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, UPPER(s) AS up, LOWER(s) AS low, CHAR_LENGTH(s) AS len, TRIM(s) AS trimmed, SUBSTRING(s, 2, 3) AS part,
       REPLACE(s, 'a', 'o') AS swapped, s || '!' AS loud, CONCAT(s, '-', id) AS joined, REVERSE(s) AS back,
       LPAD(CAST(id AS STRING), 3, '0') AS padded
FROM events;
