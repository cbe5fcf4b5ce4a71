"""Everything that tests, the crash oracle and the demo use of this folder, under one name."""

from .certs import make_certificates
from .minio import MinioServer, S3Error
from .nats import NatsServer
from .nkeys import KeyPair, Operator
from .process import Server, ServerError, child_options, free_port

__all__ = ["KeyPair", "MinioServer", "NatsServer", "Operator", "S3Error", "Server", "ServerError", "child_options",
           "free_port", "make_certificates"]
