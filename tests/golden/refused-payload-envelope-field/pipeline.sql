CREATE TABLE events (id INT) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'payload.envelope' = 'protobuf');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
