-- The first rows of each window and partition: of sums, of the rows themselves, with and without their rank.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE best_customers WITH ('connector' = 'delta', 'path' = 'best_customers');
CREATE TABLE dearest WITH ('connector' = 'delta', 'path' = 'dearest');

INSERT INTO best_customers
SELECT window_start, customer, total, place
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY total DESC, customer) AS place
  FROM (
    SELECT window_start, window_end, customer, SUM(amount) AS total FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer
  )
)
WHERE place <= 2;

INSERT INTO dearest
SELECT window_start, customer, id, price
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, customer ORDER BY price, id DESC) AS place FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))
)
WHERE place = 1;
