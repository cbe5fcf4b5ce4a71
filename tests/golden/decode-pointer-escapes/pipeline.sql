-- The field of an error is a JSON Pointer: ~ and / in keys are escaped.
CREATE TABLE events (
  id INT,
  `a/b` INT,
  `c~d` INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
