CREATE TABLE events AS SELECT * FROM read_json('input/events.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', customer: 'VARCHAR', ts: 'TIMESTAMP'});
CREATE TABLE others AS SELECT * FROM read_json('input/others.ndjson', format = 'newline_delimited',
  columns = {id: 'BIGINT', who: 'VARCHAR', happened: 'TIMESTAMP'});

CREATE VIEW windows AS
SELECT time_bucket(INTERVAL 10 SECOND, ts) AS window_start, customer, count(*) AS n, CAST(sum(id) AS BIGINT) AS ids
FROM (SELECT * FROM events UNION ALL SELECT id * 10, who, happened FROM others WHERE who IS NOT NULL)
GROUP BY ALL ORDER BY ALL;
