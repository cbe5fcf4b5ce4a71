CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE payments AS SELECT * FROM read_json('input/payments.ndjson', format = 'newline_delimited',
  columns = {order_id: 'BIGINT', method: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE VIEW around AS
SELECT o.id, o.customer, p.method, o.ts, p.ts AS paid FROM orders o JOIN payments p
ON o.id = p.order_id AND p.ts BETWEEN o.ts - INTERVAL 3 SECOND AND o.ts + INTERVAL 6 SECOND ORDER BY ALL;

CREATE VIEW after_only AS
SELECT o.id, p.method FROM orders o, payments p
WHERE o.id = p.order_id AND p.ts >= o.ts AND p.ts < o.ts + INTERVAL 6 SECOND AND (p.method = 'card' OR o.amount > 50)
ORDER BY ALL;
