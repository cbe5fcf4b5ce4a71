-- NOT NULL holds inside ROW and ARRAY; a null parent asks nothing of its children.
CREATE TABLE events (
  id INT,
  r ROW<a INT NOT NULL, b INT>,
  l ARRAY<INT NOT NULL>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
