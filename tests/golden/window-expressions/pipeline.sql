-- Keys and arguments that are expressions, NULL keys, WHERE in front, HAVING and projections behind, a view over it all.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE VIEW totals AS
SELECT window_start, window_end, UPPER(customer) AS who, quantity % 2 AS odd, SUM(amount * quantity) AS worth, COUNT(*) AS n
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))
WHERE note IS NULL OR note <> 'cc'
GROUP BY window_start, window_end, UPPER(customer), quantity % 2
HAVING COUNT(*) > 1 OR SUM(amount) > 10;

CREATE TABLE kept WITH ('connector' = 'delta', 'path' = 'kept');
CREATE TABLE once WITH ('connector' = 'delta', 'path' = 'once');

INSERT INTO kept
SELECT window_end, COALESCE(who, 'nobody') AS who, odd, CAST(worth / 2 AS DOUBLE) AS half, n FROM totals WHERE worth > 12;

INSERT INTO once SELECT DISTINCT window_start, window_end, customer FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND));
