-- Two tables as one below a window: the later watermark waits for the earlier.
CREATE TABLE events (
  id BIGINT, customer STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');
CREATE TABLE others (
  id BIGINT, who STRING, happened TIMESTAMP(3), WATERMARK FOR happened AS happened - INTERVAL '1' SECOND
) WITH ('connector' = 'file', 'path' = 'others.ndjson', 'format' = 'json');

CREATE VIEW united AS
SELECT id, customer, ts FROM events
UNION ALL
SELECT id * 10, who AS customer, happened AS ts FROM others WHERE who IS NOT NULL;

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');

INSERT INTO windows
SELECT window_start, customer, COUNT(*) AS n, SUM(id) AS ids
FROM TABLE(TUMBLE(TABLE united, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, customer;
