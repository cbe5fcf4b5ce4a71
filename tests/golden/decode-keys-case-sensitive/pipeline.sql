-- Names are case-sensitive, in JSON and in SQL.
CREATE TABLE events (
  id INT,
  Id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, Id AS other FROM events;
