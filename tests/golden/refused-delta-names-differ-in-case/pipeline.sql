-- Delta ignores case: two columns that differ in it only are refused.
CREATE TABLE events (
  id INT,
  Id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
