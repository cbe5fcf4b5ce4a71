-- A JetStream stream into a ClickHouse table, exactly once; rows are to be seen a tenth of a second later.
CREATE TABLE orders (
  order_id  BIGINT NOT NULL,
  customer  STRING NOT NULL,
  status    STRING NOT NULL,
  amount    DECIMAL(12, 2) NOT NULL,
  placed_at TIMESTAMP(3) NOT NULL,
  subject   STRING METADATA
) WITH (
  'connector' = 'nats',
  'url'       = 'nats://localhost:4222',
  'stream'    = 'ORDERS',
  'format'    = 'json'
);

CREATE TABLE fresh_orders WITH (
  'connector'       = 'clickhouse',
  'url'             = 'http://localhost:8123',
  'table'           = 'orders',
  'commit-interval' = '100 ms'
);

INSERT INTO fresh_orders
SELECT order_id, UPPER(customer) AS customer, status, amount, placed_at, subject FROM orders WHERE status <> 'shipped';
