"""MinIO, and the few S3 calls that tests need, signed here (AWS Signature 4) so that no SDK is installed."""

import datetime
import hashlib
import hmac
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml

from .process import Server, ServerError, binary


class S3Error(RuntimeError):
    def __init__(self, status, body):
        super().__init__(f"S3 answered {status}: {body[:300]}")
        self.status = status


class MinioServer(Server):
    NAME = "minio"
    PORTS = ("api",)
    REGION = "us-east-1"

    def __init__(self, folder=None, access_key="weir-root", secret_key="weir-root-secret", buckets=("lake",)):
        super().__init__(folder)
        self.access_key, self.secret_key, self._buckets = access_key, secret_key, buckets

    @property
    def port(self):
        return self.ports["api"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def health_url(self):
        return f"{self.url}/minio/health/ready"

    def environment(self):
        return dict(os.environ, MINIO_ROOT_USER=self.access_key, MINIO_ROOT_PASSWORD=self.secret_key,
                    MINIO_UPDATE="off", MINIO_BROWSER="off")

    def command(self):
        return [binary("minio"), "server", "--quiet", "--address", f"127.0.0.1:{self.port}",
                str(self.folder / "data")]

    def start(self):
        super().start()
        for bucket in self._buckets:
            self.create_bucket(bucket)
        return self

    def env(self):
        """What weir, deltalake and DuckDB need to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key, "AWS_REGION": self.REGION,
            "AWS_ALLOW_HTTP": "true", "AWS_S3_ADDRESSING_STYLE": "path",
        }

    def storage_options(self):
        """For deltalake.DeltaTable(…, storage_options=…)."""
        return self.env()

    def create_bucket(self, bucket):
        """Also when it exists; waits out the moment in which a started MinIO still opens its disks."""
        deadline = time.monotonic() + 15
        while True:
            try:
                self.request("PUT", f"/{bucket}")
                return
            except S3Error as error:
                if error.status == 409:
                    return
                if error.status != 503 or time.monotonic() > deadline:
                    raise ServerError(f"bucket {bucket}: {error}") from error
                time.sleep(0.1)

    def put(self, bucket, key, body, headers=None):
        self.request("PUT", f"/{bucket}/{key}", body=body, headers=headers)

    def get(self, bucket, key):
        return self.request("GET", f"/{bucket}/{key}")

    def delete(self, bucket, key):
        self.request("DELETE", f"/{bucket}/{key}")

    def list(self, bucket, prefix=""):
        """All keys below prefix, sorted."""
        keys, token = [], None
        while True:
            query = {"list-type": "2", "prefix": prefix}
            if token:
                query["continuation-token"] = token
            root = xml.fromstring(self.request("GET", f"/{bucket}", query))
            space = root.tag[:root.tag.index("}") + 1] if root.tag.startswith("{") else ""
            keys += [item.findtext(f"{space}Key") for item in root.iter(f"{space}Contents")]
            token = root.findtext(f"{space}NextContinuationToken")
            if not token:
                return sorted(keys)

    def set_bucket_policy(self, bucket, policy):
        """`policy`: JSON text."""
        self.request("PUT", f"/{bucket}", {"policy": ""}, policy.encode())

    def request(self, method, path, query=None, body=b"", headers=None, timeout_s=20):
        if isinstance(body, str):
            body = body.encode()
        path = urllib.parse.quote(path)
        pairs = sorted((query or {}).items())
        text = "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}" for k, v in pairs)
        signed = self._signed(method, path, text, body, dict(headers or {}))
        call = urllib.request.Request(f"{self.url}{path}{'?' + text if text else ''}", data=body or None,
                                      method=method, headers=signed)
        try:
            with urllib.request.urlopen(call, timeout=timeout_s) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise S3Error(error.code, error.read().decode(errors="replace")) from error

    def _signed(self, method, path, query, body, headers):
        """Headers with an Authorization by Signature Version 4 (all headers that are given get signed)."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers |= {"Host": f"127.0.0.1:{self.port}", "x-amz-date": now, "x-amz-content-sha256": digest}
        low = {name.lower(): value.strip() for name, value in headers.items()}
        names = ";".join(sorted(low))
        canonical = "\n".join([method, path, query, *(f"{n}:{low[n]}" for n in sorted(low)), "", names, digest])
        scope = f"{now[:8]}/{self.REGION}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
                                    f"SignedHeaders={names}, Signature={signature}")
        return headers
