-- Every aggregate function, with FILTER and DISTINCT.
CREATE TABLE orders (
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'file', 'path' = 'orders.ndjson', 'format' = 'json');

CREATE TABLE numbers WITH ('connector' = 'delta', 'path' = 'numbers');
CREATE TABLE spread WITH ('connector' = 'delta', 'path' = 'spread');
CREATE TABLE listed WITH ('connector' = 'delta', 'path' = 'listed');

INSERT INTO numbers
SELECT window_start, customer,
       COUNT(*) FILTER (WHERE amount > 10) AS large,
       SUM(amount) FILTER (WHERE quantity >= 3) AS total,
       COUNT(DISTINCT quantity) AS different,
       SUM(DISTINCT quantity) AS pieces,
       COUNT(DISTINCT note) FILTER (WHERE price > 2) AS notes,
       AVG(quantity) AS mean,
       MIN(ts) AS first_ts, MAX(ts) AS last_ts, MAX(note) AS note
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;

INSERT INTO spread
SELECT window_start, ROUND(STDDEV_SAMP(price), 6) AS ss, ROUND(STDDEV_POP(price), 6) AS sp,
       ROUND(VAR_SAMP(price), 6) AS vs, ROUND(VAR_POP(price), 6) AS vp
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;

INSERT INTO listed
SELECT window_start, customer, FIRST_VALUE(id) AS first_id, LAST_VALUE(id) AS last_id,
       STRING_AGG(note, ',') AS notes, ARRAY_AGG(id) AS ids
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, customer;
