-- CAST AS TIMESTAMP without a precision means microseconds, as in Flink: Delta can hold it.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, CAST(s AS TIMESTAMP) AS ts, CAST(s AS TIMESTAMP(3)) AS ms FROM events;
