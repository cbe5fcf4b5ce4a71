-- A NULL for a NOT NULL column of the sink is sink_refused; the event stays whole for other sinks.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE strict (
  id BIGINT NOT NULL,
  name STRING NOT NULL
) WITH ('connector' = 'delta', 'path' = 'strict');

CREATE TABLE loose WITH ('connector' = 'delta', 'path' = 'loose');

INSERT INTO strict SELECT id, name FROM events;
INSERT INTO loose SELECT id FROM events;
