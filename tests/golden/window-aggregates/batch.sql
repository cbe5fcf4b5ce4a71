CREATE TABLE orders AS SELECT * FROM read_json('input/orders.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', amount: 'DECIMAL(12, 2)', price: 'DOUBLE', quantity: 'INTEGER', note: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE sliced AS SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end FROM orders;

CREATE VIEW numbers AS
SELECT window_start, customer,
       count(*) FILTER (WHERE amount > 10) AS large,
       sum(amount) FILTER (WHERE quantity >= 3) AS total,
       count(DISTINCT quantity) AS different,
       CAST(sum(DISTINCT quantity) AS BIGINT) AS pieces,
       count(DISTINCT note) FILTER (WHERE price > 2) AS notes,
       avg(quantity) AS mean,
       min(ts) AS first_ts, max(ts) AS last_ts, max(note) AS note
FROM sliced GROUP BY window_start, customer ORDER BY ALL;

CREATE VIEW spread AS
SELECT window_start, round(stddev_samp(price), 6) AS ss, round(stddev_pop(price), 6) AS sp,
       round(var_samp(price), 6) AS vs, round(var_pop(price), 6) AS vp
FROM sliced GROUP BY window_start ORDER BY ALL;

CREATE VIEW listed AS
SELECT window_start, customer, first(id ORDER BY id) AS first_id, last(id ORDER BY id) AS last_id,
       string_agg(note, ',' ORDER BY id) AS notes, list(id ORDER BY id) AS ids
FROM sliced GROUP BY window_start, customer ORDER BY ALL;
