-- A comma before UNNEST is a cross join.
CREATE TABLE events (
  id INT,
  tags ARRAY<STRING>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, tag FROM events, UNNEST(tags) AS t (tag);
