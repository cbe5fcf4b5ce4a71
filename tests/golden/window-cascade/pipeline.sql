-- Windows over windows: the same ones again, and larger ones by the time attribute.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE VIEW counted AS
SELECT window_start, window_end, customer, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;

CREATE VIEW timed AS
SELECT window_time AS rowtime, customer, COUNT(*) AS n, SUM(amount) AS total
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, window_time, customer;

CREATE TABLE most WITH ('connector' = 'delta', 'path' = 'most');
CREATE TABLE larger WITH ('connector' = 'delta', 'path' = 'larger');

INSERT INTO most
SELECT window_start, window_end, MAX(n) AS most, COUNT(*) AS customers FROM counted GROUP BY window_start, window_end;

INSERT INTO larger
SELECT window_start, window_end, customer, SUM(n) AS n, SUM(total) AS total, COUNT(*) AS windows
FROM TABLE(TUMBLE(TABLE timed, DESCRIPTOR(rowtime), INTERVAL '30' SECOND))
GROUP BY window_start, window_end, customer;
