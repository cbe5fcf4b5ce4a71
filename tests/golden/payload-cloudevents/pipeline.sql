-- Structured-mode CloudEvents: data is decoded, attributes are METADATA 'headers'; errors keep the whole envelope.
CREATE TABLE events (
  id BIGINT, s STRING,
  headers MAP<STRING, STRING> METADATA
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json', 'payload.envelope' = 'cloudevents'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, s, headers['ce-type'] AS type, headers['ce-seq'] AS seq, headers['content-type'] AS content FROM events;
