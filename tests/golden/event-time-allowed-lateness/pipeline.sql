-- Windows still take rows for ten seconds after their end and correct their result.
SET 'pipeline.allowed-lateness' = '10 s';
SET 'pipeline.late-rows' = 'drop';
SET 'pipeline.batch-rows' = '1';
CREATE TABLE events (
  id BIGINT, customer STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE windows (
  window_start TIMESTAMP(3) NOT NULL, customer STRING NOT NULL, n BIGINT, ids BIGINT,
  PRIMARY KEY (window_start, customer) NOT ENFORCED
) WITH ('connector' = 'delta', 'path' = 'windows');

INSERT INTO windows
SELECT window_start, customer, COUNT(*) AS n, SUM(id) AS ids FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;
