"""An S3 server on 127.0.0.1: the real protocol, with its data in memory."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class S3(NamedTuple):
    """The server. variables: the environment in which clients find it."""

    url: str
    variables: dict[str, str]

    def client(self) -> Any:
        """Return boto3's client of the server."""
        import boto3

        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, **keys)

    def keys(self, bucket: str) -> list[str]:
        """Return the keys in a bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


@contextmanager
def s3_server() -> Iterator[S3]:
    """Run the server, and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    configuration = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed below); an empty one, in place of the user's
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "the S3 server ended"
            time.sleep(0.1)
        url = f"http://127.0.0.1:{port}"
        variables = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": configuration.name,
            "AWS_SHARED_CREDENTIALS_FILE": configuration.name,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield S3(url, variables)
    finally:
        configuration.close()
        process.terminate()
        process.wait(timeout=30)
