-- Tumbling windows: by key, of everything, with an offset, and their time attribute.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE by_customer WITH ('connector' = 'delta', 'path' = 'by_customer');
CREATE TABLE of_all WITH ('connector' = 'delta', 'path' = 'of_all');
CREATE TABLE shifted WITH ('connector' = 'delta', 'path' = 'shifted');

INSERT INTO by_customer
SELECT window_start, window_end, window_time, customer, COUNT(*) AS n, COUNT(amount) AS amounts, SUM(amount) AS total,
       MIN(amount) AS low, MAX(price) AS high, AVG(price) AS mean, SUM(quantity) AS pieces, MIN(note) AS first_note
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, window_time, customer;

INSERT INTO of_all SELECT window_start, COUNT(*) AS n, SUM(amount) AS total FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;

INSERT INTO shifted
SELECT window_start, window_end, COUNT(*) AS n
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '3' SECOND))
GROUP BY window_start, window_end;
