-- VARCHAR(n) counts characters, not bytes; a longer string is out_of_range.
CREATE TABLE events (
  id INT,
  code VARCHAR(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
