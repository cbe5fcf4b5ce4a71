SET 'pipeline.name' = 'orders';
CREATE TABLE orders (
  order_id BIGINT NOT NULL, customer ROW<name STRING, tags ARRAY<STRING>>, amount DECIMAL(12,2),
  topic STRING METADATA FROM 'topic', day AS CAST(placed_at AS DATE), placed_at TIMESTAMP(3),
  CONSTRAINT positive CHECK (amount > 0)
) WITH ('connector'='file', 'path'='orders.ndjson', 'format'='json');
CREATE TABLE lake WITH ('connector'='delta', 'path'='lake/orders');
EXECUTE STATEMENT SET BEGIN INSERT INTO lake SELECT * FROM orders WHERE amount > 1; END;
