-- A slide must divide the size, as in Flink.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE windows WITH ('connector' = 'delta', 'path' = 'windows');

INSERT INTO windows
SELECT window_start, COUNT(*) AS n
FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end;
