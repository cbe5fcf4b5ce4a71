-- each event's payload is compressed by itself; a broken one is one bad event.
CREATE TABLE events (
  id BIGINT, s STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'payload.compression' = 'snappy'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
