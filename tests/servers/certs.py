"""A throw-away certificate authority by the openssl program."""

import subprocess
from pathlib import Path


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_certificates(folder):
    """Writes ca.pem, server.pem/.key (for 127.0.0.1 and localhost) and client.pem/.key; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", "-x509", *new_key, "-keyout", str(ca_key), "-out", str(ca), "-days", "2",
             "-subj", "/CN=weir test authority", "-addext", "basicConstraints=critical,CA:TRUE")
    paths = {"ca": str(ca)}
    for name, use in (("server", "serverAuth"), ("client", "clientAuth")):
        key, request, cert = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        _openssl("req", "-new", *new_key, "-keyout", str(key), "-out", str(request), "-subj", f"/CN=weir-{name}")
        extensions = folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={use}\n")
        _openssl("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial",
                 "-out", str(cert), "-days", "2", "-extfile", str(extensions))
        paths |= {f"{name}_cert": str(cert), f"{name}_key": str(key)}
    return paths
