-- A protobuf envelope: field 3 of the message in field 2 holds the payload, field 5 the subject.
CREATE TABLE events (
  id BIGINT, s STRING,
  subject STRING METADATA
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'payload.envelope' = 'protobuf', 'payload.envelope.field' = '2.3', 'payload.envelope.subject-field' = '5'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
