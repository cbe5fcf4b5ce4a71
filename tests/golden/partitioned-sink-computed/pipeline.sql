-- The partition column may be computed by the query.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake', 'partition-by' = 'day');

INSERT INTO lake SELECT *, CAST(ts AS DATE) AS day FROM events;
