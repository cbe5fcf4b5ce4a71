-- Nested fields also behind the table name or an alias.
CREATE TABLE events (
  id INT,
  r ROW<a INT, b ROW<c INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT e.id, e.r.a AS a, e.r.b.c AS c FROM events AS e WHERE e.r.a > 0;
