-- Regular expressions.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, REGEXP_REPLACE(s, '[0-9]+', '#') AS masked, REGEXP_LIKE(s, '^order-') AS is_order, SPLIT_PART(s, '-', 2) AS second
FROM events;
