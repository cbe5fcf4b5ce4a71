-- An event that fails a CHECK reaches no INSERT, and is one error, not one for each.
CREATE TABLE events (
  id INT,
  CHECK (id > 0)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE a WITH ('connector' = 'delta', 'path' = 'a');

CREATE TABLE b WITH ('connector' = 'delta', 'path' = 'b');

INSERT INTO a SELECT id FROM events;
INSERT INTO b SELECT id * 2 AS id FROM events;
