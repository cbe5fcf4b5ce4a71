-- A file has no key and no headers: those METADATA columns are NULL.
CREATE TABLE events (
  id INT,
  k STRING METADATA FROM 'key',
  h MAP<STRING, STRING> METADATA FROM 'headers',
  at TIMESTAMP_LTZ(3) METADATA FROM 'ingest-time'
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, k, h, at IS NOT NULL AS has_time FROM events;
