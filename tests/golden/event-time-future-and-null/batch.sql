CREATE TABLE events AS SELECT * FROM read_json('input/events.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', ts: 'TIMESTAMP'});

CREATE VIEW windows AS
SELECT time_bucket(INTERVAL 10 SECOND, ts) AS window_start, customer, count(*) AS n, list(id ORDER BY id) AS ids
FROM events WHERE ts < TIMESTAMP '2900-01-01' GROUP BY ALL ORDER BY ALL;

CREATE VIEW errors AS
SELECT CASE WHEN ts IS NULL THEN 'bad_timestamp' ELSE 'future' END AS code FROM events
WHERE coalesce(ts > TIMESTAMP '2900-01-01', true);
