CREATE TABLE events AS SELECT * FROM read_json('input/events.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', ts: 'TIMESTAMP'});
-- The watermark in front of each row; a row is late when its window was closed by then.
CREATE TABLE judged AS
SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS window_start, window_start + INTERVAL 10 SECOND AS window_end,
       coalesce(max(ts) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - INTERVAL 5 SECOND
                >= window_end - INTERVAL 1 MILLISECOND, false) AS late
FROM events;

CREATE VIEW windows AS
SELECT window_start, customer, count(*) AS n, list(id ORDER BY id) AS ids FROM judged WHERE NOT late GROUP BY ALL ORDER BY ALL;

CREATE VIEW everything AS SELECT id FROM events ORDER BY id;

CREATE VIEW errors AS SELECT 'late' AS code, 'windows' AS sink FROM judged WHERE late;
