CREATE TABLE lines AS SELECT * FROM read_csv('input/events.ndjson', header = false, delim = '\0', quote = '', escape = '',
  columns = {line: 'VARCHAR'});
CREATE TABLE read AS
SELECT line, json_valid(line) AS valid, TRY_CAST(CASE WHEN valid THEN line ->> 'id' END AS BIGINT) AS id,
       CASE WHEN valid THEN line ->> 'customer' END AS customer,
       TRY_CAST(CASE WHEN valid THEN line ->> 'ts' END AS TIMESTAMP) AS ts
FROM lines;
CREATE TABLE events AS SELECT * FROM read WHERE valid AND id > 0 AND ts IS NOT NULL;

CREATE VIEW windows AS
SELECT time_bucket(INTERVAL 10 SECOND, ts) AS window_start, customer, count(*) AS n, list(id ORDER BY id) AS ids
FROM events GROUP BY ALL ORDER BY ALL;

CREATE VIEW plain AS SELECT id, ts FROM events ORDER BY id;

CREATE VIEW errors AS
SELECT CASE WHEN NOT valid THEN 'malformed' WHEN id IS NULL THEN 'wrong_type' WHEN ts IS NULL THEN 'bad_timestamp'
            ELSE 'check_failed' END AS code, line AS payload
FROM read WHERE NOT (valid AND coalesce(id > 0, false) AND ts IS NOT NULL);
