-- BIGINT holds -9223372036854775808 to 9223372036854775807; one more is out_of_range.
CREATE TABLE events (
  v BIGINT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
