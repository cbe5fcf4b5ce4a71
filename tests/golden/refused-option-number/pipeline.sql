-- An option that needs a number.
CREATE TABLE events (id INT) WITH (
  'connector' = 'file', 'path' = 'events.ndjson',
  'json.max-depth' = 'deep'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
