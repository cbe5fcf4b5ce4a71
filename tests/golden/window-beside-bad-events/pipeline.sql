-- Events that are no rows, or fail a CHECK, are errors; they move no watermark and are in no window.
CREATE TABLE events (
  id BIGINT, customer STRING, ts TIMESTAMP(3),
  CONSTRAINT positive CHECK (id > 0),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');
CREATE TABLE plain WITH ('connector' = 'delta', 'path' = 'plain');

INSERT INTO windows
SELECT window_start, customer, COUNT(*) AS n, ARRAY_AGG(id) AS ids FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;

INSERT INTO plain SELECT id, ts FROM events;
