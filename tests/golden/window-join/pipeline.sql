-- Rows of one window on both sides; NULL keys match nothing; a condition beside the keys; an aggregate joined to its maximum.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');
CREATE TABLE payments (
  order_id BIGINT, method STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'payments.ndjson', 'format' = 'json');

CREATE TABLE rows_joined WITH ('connector' = 'delta', 'path' = 'rows_joined');
CREATE TABLE sums_joined WITH ('connector' = 'delta', 'path' = 'sums_joined');
CREATE TABLE busiest WITH ('connector' = 'delta', 'path' = 'busiest');

INSERT INTO rows_joined
SELECT L.window_start, L.window_end, L.id, L.customer, R.method
FROM (SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))) L
JOIN (SELECT * FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '10' SECOND))) R
ON L.window_start = R.window_start AND L.window_end = R.window_end AND L.id = R.order_id AND R.ts >= L.ts;

INSERT INTO sums_joined
SELECT o.window_start, o.n, p.paid
FROM (SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) o
JOIN (
  SELECT window_start, window_end, COUNT(*) AS paid
  FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) p
ON o.window_start = p.window_start AND o.window_end = p.window_end;

INSERT INTO busiest
SELECT a.window_start, a.customer, a.n
FROM (SELECT window_start, window_end, customer, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer) a
JOIN (
  SELECT window_start, window_end, MAX(n) AS most
  FROM (SELECT window_start, window_end, customer, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer)
  GROUP BY window_start, window_end
) b
ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.n >= b.most;
