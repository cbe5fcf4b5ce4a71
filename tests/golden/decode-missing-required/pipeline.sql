-- A NOT NULL column that is absent or null is missing_required.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING NOT NULL,
  note STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
