"""Real servers for tests, the crash oracle and the demo. See README.md."""

from .certs import make_certificates
from .minio_server import MinioServer, S3Error
from .nats_server import NatsServer
from .nkeys import KeyPair, Operator
from .process import Server, ServerError, child_options, free_port

__all__ = ["KeyPair", "MinioServer", "NatsServer", "Operator", "S3Error", "Server", "ServerError", "child_options",
           "free_port", "make_certificates"]
