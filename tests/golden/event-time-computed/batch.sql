CREATE TABLE events AS SELECT *, CAST(day || ' ' || clock AS TIMESTAMP) AS ts
FROM read_json('input/events.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', day: 'VARCHAR', clock: 'VARCHAR', trusted: 'BOOLEAN'});

CREATE VIEW windows AS
SELECT window_start, window_start + INTERVAL 1 SECOND AS window_end, count(*) AS n, max(ts) AS last
FROM (SELECT *, time_bucket(INTERVAL 1 SECOND, ts) AS window_start FROM events) GROUP BY window_start ORDER BY ALL;
