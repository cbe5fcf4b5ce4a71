CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE TABLE fifteens AS
SELECT *, time_bucket(INTERVAL 5 SECOND, ts) - k * INTERVAL 5 SECOND AS window_start,
       window_start + INTERVAL 15 SECOND AS window_end
FROM orders, range(3) AS r(k);
CREATE TABLE tens AS
SELECT *, time_bucket(INTERVAL 5 SECOND, ts, INTERVAL 2 SECOND) - k * INTERVAL 5 SECOND AS window_start,
       window_start + INTERVAL 10 SECOND AS window_end
FROM orders, range(2) AS r(k);
CREATE VIEW by_customer AS
SELECT window_start, window_end, customer, count(*) AS n, sum(amount) AS total, min(price) AS low, max(price) AS high
FROM fifteens WHERE ts < window_end GROUP BY window_start, window_end, customer ORDER BY ALL;

CREATE VIEW shifted AS
SELECT window_start, window_end, count(*) AS n FROM tens WHERE ts < window_end GROUP BY ALL ORDER BY ALL;
