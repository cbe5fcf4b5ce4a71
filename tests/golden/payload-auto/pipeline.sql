-- the compression is told by the first bytes, so that compressed and plain events may be mixed; bounds.
CREATE TABLE events (
  id BIGINT, s STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'payload.compression' = 'auto', 'payload.max-size' = '4 kb'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
