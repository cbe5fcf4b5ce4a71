-- An option given twice.
CREATE TABLE events (id INT) WITH (
  'connector' = 'file', 'path' = 'a.ndjson',
  'path' = 'b.ndjson'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
