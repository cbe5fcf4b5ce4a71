-- Branches of a UNION ALL meet in the wider type.
CREATE TABLE events (
  id INT,
  big BIGINT,
  d DOUBLE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id AS v FROM events
UNION ALL
SELECT big FROM events;
