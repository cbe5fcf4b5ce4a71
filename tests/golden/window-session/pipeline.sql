-- Sessions: by key and of everything; one that a row out of order closes up, one of rows exactly a gap apart.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE by_customer WITH ('connector' = 'delta', 'path' = 'by_customer');
CREATE TABLE of_all WITH ('connector' = 'delta', 'path' = 'of_all');

INSERT INTO by_customer
SELECT window_start, window_end, customer, COUNT(*) AS n, SUM(amount) AS total, MAX(price) AS high
FROM TABLE(SESSION(TABLE orders PARTITION BY customer, DESCRIPTOR(ts), INTERVAL '9' SECOND))
GROUP BY window_start, window_end, customer;

INSERT INTO of_all
SELECT window_start, window_end, COUNT(*) AS n, SUM(quantity) AS pieces
FROM TABLE(SESSION(TABLE orders, DESCRIPTOR(ts), INTERVAL '4' SECOND))
GROUP BY window_start, window_end;
