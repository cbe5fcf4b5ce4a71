-- Rows whose times lie within bounds of each other, the bounds included; NULL keys match nothing.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');
CREATE TABLE payments (
  order_id BIGINT, method STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'payments.ndjson', 'format' = 'json');

CREATE TABLE around WITH ('connector' = 'delta', 'path' = 'around');
CREATE TABLE after_only WITH ('connector' = 'delta', 'path' = 'after_only');

INSERT INTO around
SELECT o.id, o.customer, p.method, o.ts, p.ts AS paid
FROM orders o JOIN payments p
ON o.id = p.order_id AND p.ts BETWEEN o.ts - INTERVAL '3' SECOND AND o.ts + INTERVAL '6' SECOND;

INSERT INTO after_only
SELECT o.id, p.method
FROM orders o, payments p
WHERE o.id = p.order_id AND p.ts >= o.ts AND p.ts < o.ts + INTERVAL '6' SECOND AND (p.method = 'card' OR o.amount > 50);
