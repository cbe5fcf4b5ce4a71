-- CSV's options together.
CREATE TABLE events (
  id INT, s STRING, b BYTES, at TIMESTAMP(3), last STRING
) WITH (
  'connector' = 'file', 'path' = 'events.csv', 'format' = 'csv', 'csv.delimiter' = ';', 'csv.quote' = '''',
  'csv.escape' = '\', 'csv.header' = 'names', 'csv.null-literal' = '-', 'csv.allow-missing-columns' = 'true',
  'csv.ignore-extra-columns' = 'true', 'csv.trim' = 'true', 'csv.timestamp-format' = 'epoch-ms',
  'csv.binary-encoding' = 'utf8'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, s, CAST(b AS STRING) AS b, at, last FROM events;
