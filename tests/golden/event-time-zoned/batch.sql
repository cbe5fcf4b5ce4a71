CREATE TABLE events AS SELECT id, make_timestamp(epoch_us(CAST(ts AS TIMESTAMPTZ))) AS ts
FROM read_json('input/events.ndjson', format = 'newline_delimited', columns = {id: 'BIGINT', ts: 'VARCHAR'});

CREATE VIEW windows AS
SELECT time_bucket(INTERVAL 10 SECOND, ts) AS started, count(*) AS n,
       replace(min(ts)::VARCHAR, ' ', 'T') || 'Z' AS first_ts
FROM events GROUP BY started ORDER BY ALL;
