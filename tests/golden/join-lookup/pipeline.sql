-- Rows enriched from a file as it is now: inner and LEFT, NULL keys, a key that the file has twice.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), proc AS PROCTIME()
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');
CREATE TABLE customers (
  name STRING, city STRING, discount INT
) WITH ('connector' = 'file', 'path' = 'customers.ndjson', 'format' = 'json');

CREATE TABLE known WITH ('connector' = 'delta', 'path' = 'known');
CREATE TABLE enriched WITH ('connector' = 'delta', 'path' = 'enriched');

INSERT INTO known
SELECT o.id, c.city, o.amount * (100 - c.discount) / 100 AS due
FROM orders o JOIN customers FOR SYSTEM_TIME AS OF o.proc AS c ON o.customer = c.name;

INSERT INTO enriched
SELECT o.id, o.customer, c.city
FROM orders o LEFT JOIN customers FOR SYSTEM_TIME AS OF o.proc AS c ON o.customer = c.name;
