CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE TABLE twenties AS
SELECT *, time_bucket(INTERVAL 20 SECOND, ts) AS window_start, window_start + k * INTERVAL 5 SECOND AS window_end
FROM orders, range(1, 5) AS r(k);
CREATE TABLE thirties AS
SELECT *, time_bucket(INTERVAL 30 SECOND, ts, INTERVAL 5 SECOND) AS window_start,
       window_start + k * INTERVAL 10 SECOND AS window_end
FROM orders, range(1, 4) AS r(k);

CREATE VIEW by_customer AS
SELECT window_start, window_end, customer, count(*) AS n, sum(amount) AS total, count(DISTINCT quantity) AS different
FROM twenties WHERE ts < window_end GROUP BY window_start, window_end, customer ORDER BY ALL;

CREATE VIEW shifted AS
SELECT window_start, window_end, count(*) AS n FROM thirties WHERE ts < window_end GROUP BY ALL ORDER BY ALL;
