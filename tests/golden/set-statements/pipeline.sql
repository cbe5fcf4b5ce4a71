-- SET changes settings; a value may hold a duration.
SET 'pipeline.name' = 'golden-set';
SET 'pipeline.commit-interval' = '200 ms';

CREATE TABLE events (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
