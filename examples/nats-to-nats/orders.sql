-- New orders from one JetStream stream into another, on a subject for each customer: checked and typed.
SET 'pipeline.commit-interval' = '1 s';

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

-- The stream must exist and take the subjects. At least once: after a crash the rows since the last commit are
-- sent again, and dropped by the stream while its duplicate window remembers their Nats-Msg-Id.
CREATE TABLE new_orders WITH (
  'connector'           = 'nats',
  'url'                 = 'nats://localhost:4222',
  'stream'              = 'NEW_ORDERS',
  'subject.from-column' = 'to_subject'
);

INSERT INTO new_orders
SELECT CONCAT('new-orders.', customer) AS to_subject, order_id, customer, amount, placed_at
FROM orders WHERE status = 'new';
