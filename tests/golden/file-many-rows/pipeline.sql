-- Ninety events, one in twenty broken: nothing lost or doubled at any batch size.
CREATE TABLE events (
  id INT NOT NULL,
  name STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, name FROM events WHERE id % 2 = 0;
