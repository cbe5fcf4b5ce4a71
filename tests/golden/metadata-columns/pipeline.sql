-- METADATA columns: the offset of a file is the byte at which the line begins. They are not read from the event.
CREATE TABLE events (
  id INT,
  offset_in_file BIGINT METADATA FROM 'offset',
  `offset` BIGINT METADATA
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, offset_in_file, `offset` FROM events;
