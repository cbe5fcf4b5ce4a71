CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE sliced AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end FROM orders;

CREATE TABLE counted AS
SELECT window_start, window_end, customer, count(*) AS n, sum(amount) AS total FROM sliced GROUP BY ALL;

CREATE VIEW most AS
SELECT window_start, window_end, max(n) AS most, count(*) AS customers FROM counted
GROUP BY window_start, window_end ORDER BY ALL;

CREATE VIEW larger AS
SELECT time_bucket(INTERVAL 30 SECOND, window_end - INTERVAL 1 MILLISECOND) AS window_start,
       time_bucket(INTERVAL 30 SECOND, window_end - INTERVAL 1 MILLISECOND) + INTERVAL 30 SECOND AS window_end, customer,
       CAST(sum(n) AS BIGINT) AS n, sum(total) AS total, count(*) AS windows
FROM counted GROUP BY 1, 2, customer ORDER BY ALL;
