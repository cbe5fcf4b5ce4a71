"""NATS nkeys and decentralised JWTs, so that tests can log in by nkey and by creds file.

Format: github.com/nats-io/nkeys (base32 of prefix, key and CRC-16) and github.com/nats-io/jwt version 2.
Ed25519 comes from the openssl program.
"""

import base64
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

_SEED = 18 << 3
_PREFIX = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
_UNLIMITED = {"subs": -1, "data": -1, "payload": -1}


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _encode(data):
    return base64.b32encode(data + _crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def _base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True, timeout=60).stdout


class KeyPair:
    """`public` is what servers are told, `seed` is the secret that clients hold."""

    def __init__(self, kind):
        prefix = _PREFIX[kind]
        self._der = _openssl(["genpkey", "-algorithm", "ed25519", "-outform", "DER"])
        public = _openssl(["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], self._der)[-32:]
        self.public = _encode(bytes([prefix]) + public)
        self.seed = _encode(bytes([_SEED | prefix >> 5, (prefix & 31) << 3]) + self._der[-32:])

    def sign(self, data):
        with tempfile.TemporaryDirectory() as folder:
            key, message = Path(folder) / "key.der", Path(folder) / "message"
            key.write_bytes(self._der)
            message.write_bytes(data)
            return _openssl(["pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-keyform", "DER", "-in", str(message)])


def _jwt(issuer, subject, name, claims):
    body = {"iat": int(time.time()), "iss": issuer.public, "name": name, "sub": subject,
            "nats": claims | {"version": 2}}
    body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
    head = _base64url(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    signed = f"{head}.{_base64url(json.dumps(body).encode())}"
    return f"{signed}.{_base64url(issuer.sign(signed.encode()))}"


class Operator:
    """An operator with one account that may use JetStream; creds() makes a user of it."""

    def __init__(self):
        self._operator, self._account, self._system = KeyPair("operator"), KeyPair("account"), KeyPair("account")

    def server_config(self):
        operator = _jwt(self._operator, self._operator.public, "weir-test",
                        {"type": "operator", "system_account": self._system.public})
        storage = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        accounts = {self._account.public: self._account_jwt(self._account, "events", storage),
                    self._system.public: self._account_jwt(self._system, "SYS", {})}
        preload = "\n".join(f"  {public}: {token}" for public, token in accounts.items())
        return (f"operator: {operator}\nsystem_account: {self._system.public}\n"
                f"resolver: MEMORY\nresolver_preload: {{\n{preload}\n}}")

    def _account_jwt(self, account, name, storage):
        limits = {**_UNLIMITED, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1, **storage}
        return _jwt(self._operator, account.public, name,
                    {"type": "account", "limits": limits, "default_permissions": {"pub": {}, "sub": {}}})

    def user(self):
        """(JWT, KeyPair) of a new user."""
        user = KeyPair("user")
        return _jwt(self._account, user.public, "weir", {"type": "user", "pub": {}, "sub": {}, **_UNLIMITED}), user

    def creds(self, path):
        """Writes the creds file of a new user; returns its path."""
        token, user = self.user()
        Path(path).write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")
        return str(path)
