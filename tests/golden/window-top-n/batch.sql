CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE sliced AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end FROM orders;

CREATE VIEW best_customers AS
SELECT window_start, customer, total, place
FROM (
  -- NULL is less than all, as in Flink: last where the order is descending.
  SELECT *, row_number() OVER (PARTITION BY window_start ORDER BY total DESC NULLS LAST, customer NULLS FIRST) AS place
  FROM (SELECT window_start, customer, sum(amount) AS total FROM sliced GROUP BY ALL)
) WHERE place <= 2 ORDER BY ALL;

CREATE VIEW dearest AS
SELECT window_start, customer, id, price
FROM (
  SELECT *, row_number() OVER (PARTITION BY window_start, customer ORDER BY price NULLS FIRST, id DESC) AS place FROM sliced
) WHERE place = 1 ORDER BY ALL;
