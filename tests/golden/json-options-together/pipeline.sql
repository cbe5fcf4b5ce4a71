-- Several leniencies at once.
CREATE TABLE events (
  id INT NOT NULL,
  v DOUBLE,
  s STRING,
  ts TIMESTAMP(3)
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.allow-strings-as-numbers' = 'true', 'json.allow-numbers-as-strings' = 'true',
  'json.allow-integral-floats' = 'true', 'json.null-literals' = 'null,', 'json.timestamp-format' = 'epoch-ms'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
