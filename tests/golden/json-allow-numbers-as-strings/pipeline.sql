-- 'json.allow-numbers-as-strings': a STRING takes a number with the digits as they were written.
CREATE TABLE events (
  s STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.allow-numbers-as-strings' = 'true'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
