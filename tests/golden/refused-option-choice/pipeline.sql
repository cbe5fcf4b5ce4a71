-- An option with a fixed set of values names them.
CREATE TABLE events (id INT) WITH (
  'connector' = 'file', 'path' = 'events.ndjson',
  'json.unknown-fields' = 'drop'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
