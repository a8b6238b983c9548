"""An S3 server for tests: moto in a process of its own, on a free port of loopback, which asks for credentials."""

import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import boto3
import pytest
from mlflow.store.artifact.s3_artifact_repo import _cached_get_s3_client

from tests.support.ports import free_port

_READY_S = 60
_REGION = "us-east-1"
_POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@dataclass(frozen=True)
class ObjectStorage:
    """Where the server listens, and the credentials of its one user."""

    endpoint: str
    key: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment from which clients take the credentials and the address."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def make_bucket(self) -> str:
        name = f"bucket-{uuid.uuid4().hex}"
        _client("s3", self.endpoint, self.key, self.secret).create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        listed = _client("s3", self.endpoint, self.key, self.secret).list_objects_v2(Bucket=bucket)
        return [each["Key"] for each in listed.get("Contents", [])]

    def put(self, bucket: str, key: str, text: str) -> None:
        _client("s3", self.endpoint, self.key, self.secret).put_object(Bucket=bucket, Key=key, Body=text.encode())


@pytest.fixture(scope="session")
def storage_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ObjectStorage]:
    log = tmp_path_factory.mktemp("object-storage") / "log"
    with serving(free_port(), log) as storage:
        yield storage


@pytest.fixture
def object_storage(storage_server: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    """Return the server, with its credentials in the environment; what was kept of another server's is forgotten."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    _cached_get_s3_client.cache_clear()
    for name, value in storage_server.environment.items():
        monkeypatch.setenv(name, value)
    return storage_server


@contextmanager
def serving(port: int, log: Path) -> Generator[ObjectStorage]:
    """Run an empty server on `port` until the block ends."""
    # The user must be made before anybody can sign a request; the server asks from the fourth request on.
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "3"}
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(endpoint, server, log)
        yield _with_user(endpoint)
    finally:
        server.terminate()
        server.wait()


def _with_user(endpoint: str) -> ObjectStorage:
    iam = _client("iam", endpoint, "nobody", "nothing")
    iam.create_user(UserName="tidewaiter")
    iam.put_user_policy(UserName="tidewaiter", PolicyName="files", PolicyDocument=_POLICY)
    made = iam.create_access_key(UserName="tidewaiter")["AccessKey"]
    return ObjectStorage(endpoint, made["AccessKeyId"], made["SecretAccessKey"])


def _client(service: str, endpoint: str, key: str, secret: str):
    return boto3.client(
        service, endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, region_name=_REGION
    )


def _wait(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/data.json").close()
            return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the S3 server did not start: {log.read_text()}")
