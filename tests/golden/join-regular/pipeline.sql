-- Both sides are kept, for 'pipeline.state-ttl' bounds them; three tables; a condition that is not of keys.
SET 'pipeline.state-ttl' = '1 h';
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');
CREATE TABLE payments (
  order_id BIGINT, method STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'payments.ndjson', 'format' = 'json');

CREATE TABLE methods (name STRING, fee DECIMAL(5, 2)) WITH ('connector' = 'file', 'path' = 'methods.ndjson', 'format' = 'json');

CREATE TABLE paid WITH ('connector' = 'delta', 'path' = 'paid');
CREATE TABLE fees WITH ('connector' = 'delta', 'path' = 'fees');

INSERT INTO paid SELECT o.id, o.customer, p.method FROM orders o JOIN payments p ON o.id = p.order_id AND o.price < 8;

INSERT INTO fees
SELECT o.id, p.method, m.fee FROM orders o JOIN payments p ON o.id = p.order_id JOIN methods m ON p.method = m.name;
