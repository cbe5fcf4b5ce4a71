-- A query by itself has nowhere to write to.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

SELECT id FROM events;
