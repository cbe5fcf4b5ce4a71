CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE sliced AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end FROM orders;

CREATE VIEW by_customer AS
SELECT window_start, window_end, window_end - INTERVAL 1 MILLISECOND AS window_time, customer, count(*) AS n,
       count(amount) AS amounts, sum(amount) AS total, min(amount) AS low, max(price) AS high, avg(price) AS mean,
       CAST(sum(quantity) AS BIGINT) AS pieces, min(note) AS first_note
FROM sliced GROUP BY window_start, window_end, customer ORDER BY ALL;

CREATE VIEW of_all AS
SELECT window_start, count(*) AS n, sum(amount) AS total FROM sliced GROUP BY window_start ORDER BY ALL;

CREATE VIEW shifted AS
SELECT window_start, window_start + INTERVAL 10 SECOND AS window_end, count(*) AS n
FROM (SELECT time_bucket(INTERVAL 10 SECOND, ts, INTERVAL 3 SECOND) AS window_start FROM orders)
GROUP BY window_start ORDER BY ALL;
