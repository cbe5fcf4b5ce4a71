-- Computed columns may use METADATA columns, and be filtered on.
CREATE TABLE events (
  id INT,
  at_byte BIGINT METADATA FROM 'offset',
  label AS CONCAT('b', at_byte)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, label FROM events WHERE label <> 'b0';
