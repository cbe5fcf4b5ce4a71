-- CSV: one record an event, fields by position; quotes, nulls, every error with its column.
CREATE TABLE events (
  id BIGINT NOT NULL, name STRING, amount DECIMAL(10,2), at TIMESTAMP(3), ok BOOLEAN
) WITH (
  'connector' = 'file', 'path' = 'events.csv', 'format' = 'csv', 'csv.header' = 'first'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, name, amount, at, ok FROM events;
