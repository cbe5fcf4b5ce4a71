-- 'last' also for ROWs and MAPs: nothing of the earlier value stays.
CREATE TABLE events (
  id INT,
  r ROW<a INT, b INT>,
  m MAP<STRING, INT>,
  l ARRAY<ROW<x INT>>
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.duplicate-keys' = 'last'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
