-- A CHECK may use computed and METADATA columns.
CREATE TABLE events (
  a INT,
  b INT,
  total AS a + b,
  at_byte BIGINT METADATA FROM 'offset',
  CHECK (total < 10 OR at_byte = 0)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT a, total FROM events;
