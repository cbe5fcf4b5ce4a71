-- A ${file:P} that is not there.
CREATE TABLE events (id INT) WITH (
  'connector' = 'nats', 'stream' = 'S', 'url' = 'nats://localhost:4222',
  'password' = '${file:does/not/exist}'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
