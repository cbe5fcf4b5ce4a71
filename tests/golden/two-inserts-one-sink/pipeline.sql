-- Two INSERTs into one sink: both rows of an event are there, once.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id BIGINT,
  kind STRING
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, 'a' FROM events;
INSERT INTO lake SELECT id, 'b' FROM events WHERE qty > 1;
