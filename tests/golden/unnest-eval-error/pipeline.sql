-- When one element of an event fails, none of that event's rows are written.
CREATE TABLE events (
  id INT,
  tags ARRAY<STRING>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CAST(tag AS INT) AS n FROM events CROSS JOIN UNNEST(tags) AS t (tag);
