-- 'json.unknown-fields' = 'reject': a field that is no column is unknown_field, in rows too.
CREATE TABLE events (
  id INT,
  r ROW<a INT>
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.unknown-fields' = 'reject'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
