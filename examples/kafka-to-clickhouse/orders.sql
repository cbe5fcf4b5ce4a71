-- A Kafka topic into a ClickHouse table, exactly once, to be seen within a second.
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

-- Created by Weir, with these; an existing table is checked and used.
CREATE TABLE fresh_orders WITH (
  'connector'       = 'clickhouse',
  'url'             = 'http://localhost:8123',
  'database'        = 'shop',
  'table'           = 'orders',
  'order-by'        = 'customer, placed_at',
  'partition-by'    = 'toYYYYMM(placed_at)',
  'low-cardinality' = 'status'
);

INSERT INTO fresh_orders SELECT * FROM orders;
