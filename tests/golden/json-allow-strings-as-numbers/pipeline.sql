-- 'json.allow-strings-as-numbers': numbers may come in quotes; what is no number stays an error.
CREATE TABLE events (
  i INT,
  d DOUBLE
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.allow-strings-as-numbers' = 'true'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
