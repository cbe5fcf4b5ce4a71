-- NDJSON files, plain or compressed, into two Delta tables: the visits, and one row for each item seen.

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
