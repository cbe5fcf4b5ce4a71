-- Comments of both kinds stand anywhere, and hold quotes and semicolons.
/* a table; with 'quotes' */
CREATE TABLE events (
  id INT, -- the id; isn't it
  name STRING /* text */
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake -- where to
SELECT id, /* ; */ name, '-- no comment; /* nor this' AS s FROM events; -- end
