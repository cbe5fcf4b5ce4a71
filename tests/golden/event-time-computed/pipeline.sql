-- A time attribute that is computed, of microseconds; a watermark that is more than a subtraction.
CREATE TABLE events (
  id BIGINT, day STRING, clock STRING, trusted BOOLEAN,
  ts AS CAST(day || 'T' || clock AS TIMESTAMP(6)),
  WATERMARK FOR ts AS CASE WHEN trusted THEN ts - INTERVAL '2' SECOND ELSE ts - INTERVAL '1' HOUR END
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');

INSERT INTO windows
SELECT window_start, window_end, COUNT(*) AS n, MAX(ts) AS last
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' SECOND))
GROUP BY window_start, window_end;
