-- One bad clock closes no window; a row without a time belongs to none.
CREATE TABLE events (
  id BIGINT, customer STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');

INSERT INTO windows
SELECT window_start, customer, COUNT(*) AS n, ARRAY_AGG(id) AS ids FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;
