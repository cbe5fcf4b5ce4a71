-- Declared sink columns take narrower values without a CAST.
CREATE TABLE events (
  t TINYINT,
  i INT,
  f FLOAT,
  d DECIMAL(6, 2),
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  t BIGINT,
  i DOUBLE,
  f DOUBLE,
  d DECIMAL(20, 4),
  ts TIMESTAMP(6)
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
