-- Orders that services send over HTTP into a Delta lake, exactly once; `weir serve` keeps them until then.

SET 'pipeline.name' = 'orders';
SET 'pipeline.commit-interval' = '1 s';

CREATE TABLE orders (
  order_id   BIGINT NOT NULL,
  customer   ROW<name STRING NOT NULL, country STRING>,
  status     STRING NOT NULL,
  amount     DECIMAL(12, 2) NOT NULL,
  placed_at  TIMESTAMP(3) NOT NULL,
  coupon     STRING,
  log_part   STRING METADATA FROM 'partition',
  log_offset BIGINT METADATA FROM 'offset',
  CONSTRAINT amount_is_positive CHECK (amount > 0),
  CONSTRAINT status_is_known    CHECK (status IN ('new', 'paid', 'shipped'))
) WITH (
  'connector' = 'http',
  'path'      = './weir-data/log',
  'stream'    = 'orders',
  'format'    = 'json'
);

-- No column list: the table takes its schema from the query, and is created by the first commit.
CREATE TABLE lake_orders WITH (
  'connector'    = 'delta',
  'path'         = './weir-data/lake/orders',
  'partition-by' = 'day'
);

INSERT INTO lake_orders
SELECT order_id,
       customer.name AS customer,
       UPPER(customer.country) AS country,
       status,
       amount,
       placed_at,
       coupon,
       CAST(placed_at AS DATE) AS day,
       log_part,
       log_offset
FROM orders;
