-- Parts of timestamps, truncation, intervals and differences.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, CAST(EXTRACT(YEAR FROM ts) AS INT) AS y, CAST(EXTRACT(HOUR FROM ts) AS INT) AS h, DATE_TRUNC('hour', ts) AS hour_start,
       ts + INTERVAL '1' DAY AS tomorrow, ts - INTERVAL '90' SECOND AS before, CAST(ts AS DATE) AS day,
       ts < TIMESTAMP '2026-06-01 00:00:00' AS first_half
FROM events;
