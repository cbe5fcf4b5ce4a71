CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE payments AS SELECT * FROM read_json('input/payments.ndjson', format = 'newline_delimited',
  columns = {order_id: 'BIGINT', method: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE sliced AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end FROM orders;

CREATE TABLE sliced_payments AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start FROM payments;

CREATE VIEW rows_joined AS
SELECT o.window_start, o.window_end, o.id, o.customer, p.method
FROM sliced o JOIN sliced_payments p ON o.window_start = p.window_start AND o.id = p.order_id AND p.ts >= o.ts ORDER BY ALL;

CREATE VIEW sums_joined AS
SELECT window_start, n, paid
FROM (SELECT window_start, count(*) AS n FROM sliced GROUP BY ALL)
JOIN (SELECT window_start, count(*) AS paid FROM sliced_payments GROUP BY ALL) USING (window_start) ORDER BY ALL;

CREATE VIEW busiest AS
SELECT window_start, customer, count(*) AS n FROM sliced GROUP BY window_start, customer
QUALIFY n = max(n) OVER (PARTITION BY window_start) ORDER BY ALL;
