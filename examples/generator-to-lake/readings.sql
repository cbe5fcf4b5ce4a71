-- Readings of sensors, drawn from a seed.

SET 'pipeline.name' = 'readings';
SET 'pipeline.commit-interval' = '2 s';

CREATE TABLE readings (
  reading_id BIGINT NOT NULL,
  room       STRING NOT NULL,
  celsius    DOUBLE,
  humidity   INT,
  at         TIMESTAMP(3) NOT NULL,
  CONSTRAINT humidity_is_percent CHECK (humidity BETWEEN 0 AND 100)
) WITH (
  'connector' = 'generator',
  'rows' = '1000000',
  'seed' = '42',
  'null-share' = '0.02',
  'broken-share' = '0.001',
  'fields.reading_id.kind' = 'sequence',
  'fields.room.values' = 'kitchen,cellar,attic,hall',
  'fields.celsius.min' = '-5',
  'fields.celsius.max' = '35',
  'fields.humidity.min' = '0',
  'fields.humidity.max' = '100'
);

CREATE TABLE lake_readings WITH ('connector' = 'delta', 'path' = './weir-data/lake/readings', 'partition-by' = 'room');

INSERT INTO lake_readings
SELECT reading_id, room, celsius, celsius * 1.8 + 32 AS fahrenheit, humidity, at FROM readings;
