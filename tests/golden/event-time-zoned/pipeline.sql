-- TIMESTAMP_LTZ as the time attribute: windows are in UTC.
CREATE TABLE events (
  id BIGINT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');

INSERT INTO windows
SELECT CAST(window_start AS TIMESTAMP(3)) AS started, COUNT(*) AS n, MIN(ts) AS first_ts
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end;
