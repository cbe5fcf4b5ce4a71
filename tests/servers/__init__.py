"""Real servers for tests, the crash oracle and the demo. See README.md."""

from .certs import make_certificates
from .clickhouse_server import ClickHouseError, ClickHouseFront, ClickHouseServer
from .flink_server import FlinkServer
from .kafka_server import KafkaServer
from .minio_server import MinioServer, S3Error
from .nats_server import NatsServer
from .nkeys import KeyPair, Operator
from .process import Server, ServerError, free_port, tied
from .proxy import Proxy

__all__ = ["ClickHouseError", "ClickHouseFront", "ClickHouseServer", "FlinkServer", "KafkaServer", "KeyPair",
           "MinioServer", "NatsServer", "Operator", "Proxy", "S3Error", "Server", "ServerError", "free_port", "tied",
           "make_certificates"]
