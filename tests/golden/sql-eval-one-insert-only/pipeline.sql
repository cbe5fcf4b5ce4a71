-- A row that fails in one INSERT still reaches the other; the error names its sink.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE numbers WITH ('connector' = 'delta', 'path' = 'numbers');

CREATE TABLE texts WITH ('connector' = 'delta', 'path' = 'texts');

INSERT INTO numbers SELECT id, CAST(s AS INT) AS n FROM events;
INSERT INTO texts SELECT id, s FROM events;
