-- NDJSON files, plain or compressed, into two Delta tables: the visits, and one row for each item seen during a visit.
--
--   mkdir -p visits
--   echo '{"visit_id":1,"user":"ada","at":"2026-11-21T13:00:00Z","items":[{"sku":"a-1","seconds":12},{"sku":"b-2","seconds":3}]}' > visits/one.ndjson
--   weir run --once examples/files-to-lake.sql        ends when the files that are there have been read
--   weir sql -f examples/files-to-lake.sql "SELECT sku, SUM(seconds) AS seconds FROM lake_items GROUP BY sku"
--   weir errors list examples/files-to-lake.sql
--
-- Run it again: only new files and new lines are read. Both tables come from one reading of the files, and recover together.

SET 'pipeline.name' = 'visits';

CREATE TABLE visits (
  visit_id BIGINT NOT NULL,
  `user`   STRING,
  at       TIMESTAMP(3) NOT NULL,
  items    ARRAY<ROW<sku STRING NOT NULL, seconds INT>>,
  rest     STRING,
  file     STRING METADATA FROM 'partition',
  CHECK (visit_id > 0)
) WITH (
  'connector' = 'file',
  'path'      = './visits/*.ndjson*',
  'format'    = 'json',
  'json.unknown-fields' = 'keep',
  'json.rest-column'    = 'rest'
);

CREATE TABLE lake_visits WITH ('connector' = 'delta', 'path' = './weir-data/lake/visits', 'partition-by' = 'day');
CREATE TABLE lake_items  WITH ('connector' = 'delta', 'path' = './weir-data/lake/items');

CREATE TEMPORARY VIEW known_users AS
SELECT * FROM visits WHERE `user` IS NOT NULL;

EXECUTE STATEMENT SET
BEGIN
  INSERT INTO lake_visits
  SELECT visit_id, `user`, at, CAST(at AS DATE) AS day, rest, file FROM known_users;

  INSERT INTO lake_items
  SELECT visit_id, at, sku, seconds FROM known_users CROSS JOIN UNNEST(items) AS i (sku, seconds);
END;
