-- New orders from one Kafka topic into another, keyed by customer: checked, typed and in one shape.
SET 'pipeline.commit-interval' = '1 s';

CREATE TABLE orders (
  order_id  BIGINT NOT NULL,
  customer  STRING NOT NULL,
  status    STRING NOT NULL,
  amount    DECIMAL(12, 2) NOT NULL,
  placed_at TIMESTAMP(3) NOT NULL
) WITH (
  'connector' = 'kafka',
  'topic'     = 'orders',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format'    = 'json'
);

-- The topic must exist. At least once: after a crash the rows since the last commit are sent again.
CREATE TABLE new_orders WITH (
  'connector'  = 'kafka',
  'topic'      = 'new-orders',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.fields' = 'customer'
);

INSERT INTO new_orders
SELECT customer, order_id, amount, placed_at FROM orders WHERE status = 'new';
