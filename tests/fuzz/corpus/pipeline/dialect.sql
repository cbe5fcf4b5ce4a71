SET 'pipeline.commit-interval' = '5 s';

CREATE TABLE orders (
  order_id  BIGINT NOT NULL,
  customer  STRING,
  amount    DECIMAL(12, 2),
  placed_at TIMESTAMP(3),
  items     ARRAY<ROW<sku STRING, quantity INT>>,
  position  BIGINT METADATA FROM 'offset',
  cents     AS CAST(amount * 100 AS BIGINT),
  CONSTRAINT not_negative CHECK (amount >= 0)
) WITH ('connector' = 'nats', 'url' = 'nats://localhost:4222', 'stream' = 'ORDERS', 'format' = 'json');

CREATE TABLE lake_orders WITH ('connector' = 'delta', 'path' = 's3://lake/orders', 'partition-by' = 'day');
CREATE TABLE lake_items  WITH ('connector' = 'delta', 'path' = 's3://lake/items');

CREATE TEMPORARY VIEW paid AS SELECT * FROM orders WHERE amount > 0;

EXECUTE STATEMENT SET BEGIN
  INSERT INTO lake_orders SELECT order_id, customer, amount, CAST(placed_at AS DATE) AS day FROM paid;
  INSERT INTO lake_items  SELECT order_id, item.sku, item.quantity FROM orders CROSS JOIN UNNEST(items) AS t (item);
END;
