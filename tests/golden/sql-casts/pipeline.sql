-- CAST between numbers, strings, dates and timestamps.
CREATE TABLE events (
  id INT,
  s STRING,
  d DOUBLE,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, CAST(s AS INT) AS i, CAST(s AS DECIMAL(6, 2)) AS dec, CAST(id AS STRING) AS t, CAST(d AS BIGINT) AS whole,
       CAST(ts AS DATE) AS day, CAST(id AS DOUBLE) / 4 AS quarter
FROM events;
