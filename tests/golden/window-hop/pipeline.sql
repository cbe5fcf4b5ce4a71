-- Hopping windows, also with an offset.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE by_customer WITH ('connector' = 'delta', 'path' = 'by_customer');
CREATE TABLE shifted WITH ('connector' = 'delta', 'path' = 'shifted');

INSERT INTO by_customer
SELECT window_start, window_end, customer, COUNT(*) AS n, SUM(amount) AS total, MIN(price) AS low, MAX(price) AS high
FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND))
GROUP BY window_start, window_end, customer;

INSERT INTO shifted
SELECT window_start, window_end, COUNT(*) AS n
FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND, INTERVAL '2' SECOND))
GROUP BY window_start, window_end;
