-- A ${env:X} that is not set.
CREATE TABLE events (id INT) WITH (
  'connector' = 'nats', 'stream' = 'S',
  'url' = 'nats://${env:WEIR_GOLDEN_IS_NOT_SET}:4222'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
