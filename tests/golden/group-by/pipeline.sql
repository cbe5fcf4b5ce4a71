-- Groups without a window are corrected row by row; what a sink with a PRIMARY KEY holds in the end is the batch's answer.
SET 'pipeline.state-ttl' = '1 h';
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE by_customer (
  customer STRING NOT NULL, n BIGINT, total DECIMAL(22, 2), low DECIMAL(12, 2), high DOUBLE, mean DOUBLE, different BIGINT,
  PRIMARY KEY (customer) NOT ENFORCED
) WITH ('connector' = 'delta', 'path' = 'by_customer');
CREATE TABLE rare (quantity INT NOT NULL, n BIGINT, PRIMARY KEY (quantity) NOT ENFORCED) WITH ('connector' = 'delta', 'path' = 'rare');

INSERT INTO by_customer
SELECT customer, COUNT(*) AS n, SUM(amount) AS total, MIN(amount) AS low, MAX(price) AS high, AVG(price) AS mean,
       COUNT(DISTINCT quantity) AS different
FROM orders WHERE customer IS NOT NULL GROUP BY customer;

-- A group that no longer holds HAVING is taken back.
INSERT INTO rare
SELECT quantity, COUNT(*) AS n FROM orders WHERE quantity IS NOT NULL GROUP BY quantity HAVING COUNT(*) < 3;
