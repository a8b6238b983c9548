"""The proxy of deploy/kubernetes before a real MLflow server behind the guard: who may sign through it."""

import shutil
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import yaml

from models.signoff import reading
from tests import signoff_server
from tests.integration.test_up import free_port
from tests.signoff_server import AJAX, Server

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not there: apt-get install nginx-light")
MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes" / "tidewaiter.yaml"
PUBLIC = "https://tidewaiter.customs.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder = tmp_path_factory.mktemp("server")
    signoff_server.register(folder)
    with signoff_server.server(folder) as started:
        signoff_server.add_people(started)
        yield started


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    (configuration,) = (
        each["data"]["nginx.conf"] for each in yaml.safe_load_all(MANIFESTS.read_text()) if each["kind"] == "ConfigMap"
    )
    free = free_port(), free_port()
    folder = tmp_path_factory.mktemp("proxy")
    mlflow = str(httpx.URL(server.url).port)
    for old, new in (("8500", free[0]), ("8420", free[1]), ("127.0.0.1:5000", f"127.0.0.1:{mlflow}"), ("/tmp", folder)):
        configuration = configuration.replace(old, str(new))
    file = folder / "nginx.conf"
    file.write_text(configuration)
    nginx = subprocess.Popen(["nginx", "-c", str(file), "-g", "daemon off;"])
    url = f"http://127.0.0.1:{free[0]}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{url}/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield url
    finally:
        nginx.terminate()
        nginx.wait()


def sign(proxy: str, origin: str) -> httpx.Response:
    body = {"name": "customs-risk", "version": "1", "key": "signoff.technical", "value": "approved: sound"}
    headers = {"Origin": origin, "Host": origin.removeprefix("https://")}
    account = "ana", signoff_server.password("ana")
    return httpx.post(f"{proxy}{AJAX}/model-versions/set-tag", json=body, headers=headers, auth=account, timeout=60)


def test_a_page_of_somebody_else_cannot_sign_with_a_reviewers_browser(proxy: str, server: Server) -> None:
    before = reading.rows(server.database_uri)
    refused = sign(proxy, "https://elsewhere.example")
    assert refused.status_code == 403
    assert refused.json()["message"] == "a page of 'https://elsewhere.example' may change nothing here"
    assert server.tags()["signoff.technical"] == "pending"
    assert reading.rows(server.database_uri) == before


def test_the_public_name_is_signed_through(proxy: str, server: Server) -> None:
    assert sign(proxy, PUBLIC).raise_for_status().json()["tag"]["value"] == "approved by ana. ana: sound"
    assert server.tags()["signoff.technical"] == "approved by ana. ana: sound"


def test_without_the_proxy_the_public_name_is_refused(server: Server) -> None:
    assert sign(server.url, PUBLIC).status_code == 403
