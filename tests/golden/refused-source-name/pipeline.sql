-- A source's name is a folder of the error lake, where '_resolved' and '_replay' are Weir's own.
CREATE TABLE `_resolved` (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');
CREATE TABLE `../elsewhere` (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id FROM `_resolved`;
