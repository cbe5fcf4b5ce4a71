-- Several INSERTs over one source, one without state: read once, recovered together.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE copied WITH ('connector' = 'delta', 'path' = 'copied');
CREATE TABLE minutes WITH ('connector' = 'delta', 'path' = 'minutes');
CREATE TABLE sessions WITH ('connector' = 'delta', 'path' = 'sessions');

INSERT INTO copied SELECT id, UPPER(customer) AS customer, amount, ts FROM orders WHERE amount IS NOT NULL;

INSERT INTO minutes
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end;

INSERT INTO sessions
SELECT window_start, window_end, customer, COUNT(*) AS n
FROM TABLE(SESSION(TABLE orders PARTITION BY customer, DESCRIPTOR(ts), INTERVAL '20' SECOND))
WHERE customer IS NOT NULL
GROUP BY window_start, window_end, customer;
