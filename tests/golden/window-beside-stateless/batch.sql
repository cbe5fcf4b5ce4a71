CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE VIEW copied AS
SELECT id, upper(customer) AS customer, amount, ts FROM orders WHERE amount IS NOT NULL ORDER BY id;

CREATE VIEW minutes AS
SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS window_start, count(*) AS n FROM orders GROUP BY ALL ORDER BY ALL;

CREATE TABLE begun AS
SELECT *, coalesce(ts > lag(ts) OVER (PARTITION BY customer ORDER BY ts) + INTERVAL 20 SECOND, true) AS first_of_session
FROM orders WHERE customer IS NOT NULL;
CREATE VIEW sessions AS
SELECT min(ts) AS window_start, max(ts) + INTERVAL 20 SECOND AS window_end, customer, count(*) AS n
FROM (SELECT *, sum(first_of_session::INT) OVER (PARTITION BY customer ORDER BY ts) AS session FROM begun)
GROUP BY customer, session ORDER BY ALL;
