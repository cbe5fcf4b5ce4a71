-- Two sources into two sinks in one file.
CREATE TABLE a (
  id INT
) WITH ('connector' = 'file', 'path' = 'a.ndjson', 'format' = 'json');

CREATE TABLE b (
  name STRING
) WITH ('connector' = 'file', 'path' = 'b.ndjson', 'format' = 'json');

CREATE TABLE lake_a WITH ('connector' = 'delta', 'path' = 'lake_a');

CREATE TABLE lake_b WITH ('connector' = 'delta', 'path' = 'lake_b');

INSERT INTO lake_a SELECT * FROM a;
INSERT INTO lake_b SELECT * FROM b;
