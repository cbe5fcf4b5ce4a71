-- orders.sql: orders from NATS JetStream into a Delta lake and into ClickHouse: one stream, read once, exactly once in
-- both. What does not fit goes to the error lake.
SET 'pipeline.commit-interval' = '500 ms';
SET 'error-lake.path' = './errors';

CREATE TABLE orders (
  order_id  BIGINT NOT NULL,
  customer  STRING NOT NULL,
  status    STRING NOT NULL,
  amount    DECIMAL(12,2) NOT NULL,
  coupon    VARCHAR(8),
  placed_at TIMESTAMP(3) NOT NULL,
  CONSTRAINT known_status CHECK (status IN ('new', 'paid', 'shipped'))
) WITH (
  'connector' = 'nats',
  'url'       = 'nats://127.0.0.1:4222',
  'stream'    = 'ORDERS',
  'format'    = 'json'
);

CREATE TABLE lake_orders WITH ('connector' = 'delta', 'path' = './lake/orders', 'partition-by' = 'day');

-- Created by Weir. Rows are to be seen here before they are in the lake.
CREATE TABLE fresh_orders WITH (
  'connector' = 'clickhouse', 'url' = 'http://127.0.0.1:8123', 'table' = 'orders', 'commit-interval' = '200 ms'
);

EXECUTE STATEMENT SET BEGIN
INSERT INTO lake_orders
  SELECT order_id, customer, status, amount, coupon, placed_at, CAST(placed_at AS DATE) AS day FROM orders;
INSERT INTO fresh_orders
  SELECT order_id, customer, status, amount, coupon, placed_at FROM orders;
END;
