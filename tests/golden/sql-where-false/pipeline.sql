-- A condition that is never true is planned away in one branch of a UNION ALL; the other goes on.
CREATE TABLE events (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id FROM events WHERE 1 = 0
UNION ALL
SELECT id * 10 FROM events;
