-- One stream into a ClickHouse table for each customer: created on demand, at most a hundred.
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

-- Rows of a customer beyond the hundredth go to the error lake, and no table is made of them.
CREATE TABLE by_customer WITH (
  'connector'  = 'clickhouse',
  'url'        = 'http://localhost:8123',
  'table'      = 'orders_{customer}',
  'max-tables' = '100'
);

INSERT INTO by_customer SELECT * FROM orders;
