-- CROSS JOIN UNNEST gives a row for each element; an empty or null array gives none.
CREATE TABLE events (
  id INT,
  tags ARRAY<STRING>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, tag FROM events CROSS JOIN UNNEST(tags) AS t (tag);
