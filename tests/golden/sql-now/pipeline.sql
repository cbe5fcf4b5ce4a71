-- now() is the time at which a batch runs, not at which the file was planned: it never fails and lies after 2020.
CREATE TABLE events (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, now() > TIMESTAMP '2020-01-01 00:00:00' AS later FROM events;
