-- Two UNNESTs, the second over what the first gave.
CREATE TABLE events (
  id INT,
  rows_ ARRAY<ARRAY<INT>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, v FROM events CROSS JOIN UNNEST(rows_) AS a (r) CROSS JOIN UNNEST(r) AS b (v);
