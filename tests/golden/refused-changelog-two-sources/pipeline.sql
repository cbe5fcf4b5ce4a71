CREATE TABLE here (id BIGINT NOT NULL, name STRING) WITH ('connector' = 'file', 'path' = 'here.ndjson', 'format' = 'debezium-json');

CREATE TABLE there (id BIGINT NOT NULL, name STRING) WITH ('connector' = 'file', 'path' = 'there.ndjson');

CREATE TABLE customers (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'clickhouse', 'url' = 'http://localhost:8123');

INSERT INTO customers SELECT * FROM here;
INSERT INTO customers SELECT * FROM there;
