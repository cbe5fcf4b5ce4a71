"""nats-server with JetStream, in every way that clients may have to log in."""

from .process import Server, binary


class NatsServer(Server):
    """A JetStream server whose acknowledged publishes survive kill -9 (`sync_interval: always`).

    Log-in, one of: user + password, token, nkey (public user key), operator (an nkeys.Operator, for creds files).
    sync_interval: another value makes publishing fast, but then kill -9 of the server may lose acknowledged messages.
    TLS: tls={"cert", "key"} and optionally "ca" with "verify": True for client certificates (see certs.py).
    """

    NAME = "nats-server"
    PORTS = ("client", "http")

    def __init__(self, folder=None, user=None, password=None, token=None, nkey=None, operator=None, tls=None,
                 max_file="8G", sync_interval="always", extra=""):
        super().__init__(folder)
        self.user, self.password, self.token, self.nkey = user, password, token, nkey
        self.operator, self.tls, self.max_file, self.extra = operator, tls, max_file, extra
        self.sync_interval = sync_interval

    @property
    def port(self):
        return self.ports["client"]

    @property
    def url(self):
        """Without credentials."""
        return f"{'tls' if self.tls else 'nats'}://127.0.0.1:{self.port}"

    @property
    def url_with_credentials(self):
        secret = f"{self.user}:{self.password}@" if self.user else f"{self.token}@" if self.token else ""
        return self.url.replace("://", "://" + secret)

    def health_url(self):
        return f"http://127.0.0.1:{self.ports['http']}/healthz"

    def command(self):
        config = self.folder / "nats.conf"
        config.write_text(self._config())
        return [binary("nats-server"), "-c", str(config)]

    def _config(self):
        lines = [
            f'listen: "127.0.0.1:{self.port}"',
            f'http: "127.0.0.1:{self.ports["http"]}"',
            "max_payload: 8MB",
            f'jetstream {{ store_dir: "{self.folder}/data", sync_interval: {self.sync_interval}, '
            f"max_memory_store: 256MB, max_file_store: {self.max_file} }}",
        ]
        if self.user:
            lines.append(f'authorization {{ user: "{self.user}", password: "{self.password}" }}')
        if self.token:
            lines.append(f'authorization {{ token: "{self.token}" }}')
        if self.nkey:
            lines.append(f"authorization {{ users: [ {{ nkey: {self.nkey} }} ] }}")
        if self.operator:
            lines.append(self.operator.server_config())
        if self.tls:
            parts = [f'cert_file: "{self.tls["cert"]}"', f'key_file: "{self.tls["key"]}"']
            if "ca" in self.tls:
                parts.append(f'ca_file: "{self.tls["ca"]}"')
            if self.tls.get("verify"):
                parts.append("verify: true")
            lines.append("tls { " + ", ".join(parts) + " }")
        return "\n".join(lines + [self.extra, ""])
