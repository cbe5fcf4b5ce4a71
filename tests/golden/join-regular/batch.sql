CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE payments AS SELECT * FROM read_json('input/payments.ndjson', format = 'newline_delimited',
  columns = {order_id: 'BIGINT', method: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE TABLE methods AS SELECT * FROM read_json('input/methods.ndjson', format = 'newline_delimited',
  columns = {name: 'VARCHAR', fee: 'DECIMAL(5, 2)'});

CREATE VIEW paid AS
SELECT o.id, o.customer, p.method FROM orders o JOIN payments p ON o.id = p.order_id AND o.price < 8 ORDER BY ALL;

CREATE VIEW fees AS
SELECT o.id, p.method, m.fee FROM orders o JOIN payments p ON o.id = p.order_id JOIN methods m ON p.method = m.name
ORDER BY ALL;
