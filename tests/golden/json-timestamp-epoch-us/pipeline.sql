-- 'json.timestamp-format' = 'epoch-us': timestamps are numbers; text is refused.
CREATE TABLE events (
  id INT,
  ts TIMESTAMP(6),
  at TIMESTAMP_LTZ(6)
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.timestamp-format' = 'epoch-us'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
