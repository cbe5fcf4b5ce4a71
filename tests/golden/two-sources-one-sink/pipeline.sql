-- Two INSERTs from two sources into one sink: each source keeps its own position in the table.
CREATE TABLE a (
  id INT
) WITH ('connector' = 'file', 'path' = 'a.ndjson', 'format' = 'json');

CREATE TABLE b (
  id INT
) WITH ('connector' = 'file', 'path' = 'b.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id INT,
  side STRING
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, 'a' FROM a;
INSERT INTO lake SELECT id, 'b' FROM b;
