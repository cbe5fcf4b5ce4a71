CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE TABLE begun AS
SELECT *, coalesce(ts > lag(ts) OVER keyed + INTERVAL 9 SECOND, true) AS first_of_key,
       coalesce(ts > lag(ts) OVER whole + INTERVAL 4 SECOND, true) AS first_of_all
FROM orders WINDOW keyed AS (PARTITION BY customer ORDER BY ts), whole AS (ORDER BY ts);
CREATE TABLE numbered AS
SELECT *, sum(first_of_key::INT) OVER (PARTITION BY customer ORDER BY ts) AS key_session,
       sum(first_of_all::INT) OVER (ORDER BY ts) AS session
FROM begun;

CREATE VIEW by_customer AS
SELECT min(ts) AS window_start, max(ts) + INTERVAL 9 SECOND AS window_end, customer, count(*) AS n,
       sum(amount) AS total, max(price) AS high
FROM numbered GROUP BY customer, key_session ORDER BY ALL;

CREATE VIEW of_all AS
SELECT min(ts) AS window_start, max(ts) + INTERVAL 4 SECOND AS window_end, count(*) AS n,
       CAST(sum(quantity) AS BIGINT) AS pieces
FROM numbered GROUP BY session ORDER BY ALL;
