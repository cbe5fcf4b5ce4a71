-- A source needs its columns.
CREATE TABLE events WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
