-- Backticks quote names: keywords, spaces, other alphabets.
CREATE TABLE events (
  `order` INT,
  `total amount` DECIMAL(8, 2),
  `größe` STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT `order`, `total amount` AS `sum-of-it`, `größe` FROM events WHERE `order` > 1;
