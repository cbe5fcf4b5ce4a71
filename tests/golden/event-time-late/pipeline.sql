-- Rows whose window has closed go to the error lake, one by one; a stateless INSERT beside it takes them all.
-- A batch is one row, so that the watermark in front of each is known.
SET 'pipeline.batch-rows' = '1';
CREATE TABLE events (
  id BIGINT, customer STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');
CREATE TABLE everything WITH ('connector' = 'delta', 'path' = 'everything');

INSERT INTO windows
SELECT window_start, customer, COUNT(*) AS n, ARRAY_AGG(id) AS ids FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;

INSERT INTO everything SELECT id FROM events;
