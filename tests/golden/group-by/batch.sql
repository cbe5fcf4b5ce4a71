CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE VIEW by_customer AS
SELECT customer, count(*) AS n, sum(amount) AS total, min(amount) AS low, max(price) AS high, avg(price) AS mean,
       count(DISTINCT quantity) AS different
FROM orders WHERE customer IS NOT NULL GROUP BY customer ORDER BY ALL;

CREATE VIEW rare AS
SELECT quantity, count(*) AS n FROM orders WHERE quantity IS NOT NULL GROUP BY quantity HAVING count(*) < 3 ORDER BY ALL;
