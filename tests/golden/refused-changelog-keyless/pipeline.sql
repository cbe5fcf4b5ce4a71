CREATE TABLE changes (id BIGINT NOT NULL, name STRING) WITH ('connector' = 'file', 'path' = 'changes.ndjson', 'format' = 'debezium-json');

CREATE TABLE customers WITH ('connector' = 'clickhouse', 'url' = 'http://localhost:8123');

INSERT INTO customers SELECT * FROM changes;
