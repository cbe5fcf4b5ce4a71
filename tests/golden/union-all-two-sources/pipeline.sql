-- UNION ALL of two sources: one table, errors in the error table of the source they came from.
CREATE TABLE left_events (
  id INT,
  v INT
) WITH ('connector' = 'file', 'path' = 'left_events.ndjson', 'format' = 'json');

CREATE TABLE right_events (
  id INT,
  text STRING
) WITH ('connector' = 'file', 'path' = 'right_events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, v, 'left' AS side FROM left_events
UNION ALL
SELECT id, CHAR_LENGTH(text), 'right' FROM right_events;
