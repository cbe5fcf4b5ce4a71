-- A Kafka topic into a Delta lake, exactly once, by as many workers as are started with this file.
SET 'pipeline.workers' = 'several';       -- they share state.path; of one worker alone nothing is asked
SET 'pipeline.commit-interval' = '1 s';

CREATE TABLE orders (
  order_id  BIGINT NOT NULL,
  customer  STRING NOT NULL,
  status    STRING NOT NULL,
  amount    DECIMAL(12, 2) NOT NULL,
  placed_at TIMESTAMP(3) NOT NULL,
  sent_at   TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  CONSTRAINT amount_is_positive CHECK (amount > 0)
) WITH (
  'connector' = 'kafka',
  'topic'     = 'orders',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id'          = 'weir-orders',
  'format'    = 'json'
);

CREATE TABLE lake_orders WITH (
  'connector' = 'delta', 'path' = './weir-data/lake/orders', 'partition-by' = 'day'
);

INSERT INTO lake_orders SELECT *, CAST(placed_at AS DATE) AS day FROM orders;
