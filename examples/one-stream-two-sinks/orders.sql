-- One stream, read and decoded once, into a Delta lake and into ClickHouse: exactly once in both, recovered together.
SET 'pipeline.commit-interval' = '10 s';

CREATE TABLE orders (
  order_id  BIGINT NOT NULL,
  customer  STRING NOT NULL,
  status    STRING NOT NULL,
  amount    DECIMAL(12, 2) NOT NULL,
  placed_at TIMESTAMP(3) NOT NULL
) WITH (
  'connector' = 'nats',
  'url'       = 'nats://localhost:4222',
  'stream'    = 'ORDERS',
  'format'    = 'json'
);

-- The lake keeps the positions, in its own commits; ClickHouse commits more often.
CREATE TABLE lake_orders WITH (
  'connector' = 'delta', 'path' = './weir-data/lake/orders', 'partition-by' = 'day'
);
CREATE TABLE fresh_orders WITH (
  'connector' = 'clickhouse', 'url' = 'http://localhost:8123', 'table' = 'orders', 'commit-interval' = '1 s'
);

EXECUTE STATEMENT SET BEGIN
  INSERT INTO lake_orders  SELECT *, CAST(placed_at AS DATE) AS day FROM orders;
  INSERT INTO fresh_orders SELECT * FROM orders;
END;
