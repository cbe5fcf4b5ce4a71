-- 'json.timestamp-format' = 'epoch-s': timestamps are numbers; text is refused.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(6),
  at TIMESTAMP_LTZ(6)
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.timestamp-format' = 'epoch-s'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
