CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE customers AS SELECT * FROM read_json('input/customers.ndjson', format = 'newline_delimited',
  columns = {name: 'VARCHAR', city: 'VARCHAR', discount: 'INTEGER'});

CREATE VIEW known AS
SELECT o.id, c.city, CAST(o.amount AS DECIMAL(18, 6)) * (100 - c.discount) / 100 AS due
FROM orders o JOIN customers c ON o.customer = c.name ORDER BY ALL;

CREATE VIEW enriched AS
SELECT o.id, o.customer, c.city FROM orders o LEFT JOIN customers c ON o.customer = c.name ORDER BY ALL;
