CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE sliced AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end FROM orders;

CREATE VIEW kept AS
SELECT window_end, coalesce(upper(customer), 'nobody') AS who, quantity % 2 AS odd,
       CAST(sum(amount * quantity) AS DOUBLE) / 2 AS half, count(*) AS n
FROM sliced WHERE note IS NULL OR note <> 'cc'
GROUP BY window_end, upper(customer), quantity % 2
HAVING (count(*) > 1 OR sum(amount) > 10) AND sum(amount * quantity) > 12 ORDER BY ALL;

CREATE VIEW once AS SELECT DISTINCT window_start, window_end, customer FROM sliced ORDER BY ALL;
