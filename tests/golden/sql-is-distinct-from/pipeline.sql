-- IS [NOT] DISTINCT FROM treats NULL as a value.
CREATE TABLE events (
  id INT,
  a INT,
  b INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, a IS DISTINCT FROM b AS differs FROM events WHERE a IS NOT DISTINCT FROM a;
