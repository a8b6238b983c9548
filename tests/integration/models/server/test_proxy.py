"""The proxies of deploy/ before a real MLflow server behind the guard, and before one that tells what it was asked."""

import datetime
import shutil
import ssl
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from models.ledger import reading
from tests.support import signoff_server
from tests.support.ports import free_port
from tests.support.signoff_server import AJAX, Server

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not there: apt-get install nginx-light")
DEPLOY = Path(__file__).parents[4] / "deploy"
PUBLIC = "https://tidewaiter.customs.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder = tmp_path_factory.mktemp("server")
    signoff_server.register(folder)
    with signoff_server.server(folder, public_urls=[PUBLIC]) as started:
        signoff_server.add_people(started)
        yield started


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Run the proxy of Kubernetes before the real server."""
    port, mlflow = free_port(), str(httpx.URL(server.url).port)
    replaced = [("8500", str(port)), ("8420", str(free_port())), ("127.0.0.1:5000", f"127.0.0.1:{mlflow}")]
    with nginx(of_kubernetes(), replaced, tmp_path_factory.mktemp("proxy"), port):
        yield f"http://127.0.0.1:{port}"


def of_kubernetes() -> str:
    manifests = yaml.safe_load_all((DEPLOY / "kubernetes" / "tidewaiter.yaml").read_text())
    (found,) = (each["data"]["nginx.conf"] for each in manifests if each["kind"] == "ConfigMap")
    return found


def of_a_machine(folder: Path) -> str:
    """As the include file stands within nginx's own configuration, with a certificate that was made now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "customs.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    (folder / "fullchain.pem").write_bytes(certificate.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    included = (DEPLOY / "nginx" / "tidewaiter.conf").read_text()
    places = "".join(f"{kind}_temp_path /tmp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"pid /tmp/nginx.pid; error_log /dev/stderr; events {{}} http {{ access_log off; {places} {included} }}"


@contextmanager
def nginx(configuration: str, replaced: Sequence[tuple[str, str]], folder: Path, port: int) -> Generator[None]:
    for old, new in (("/tmp/", f"{folder}/"), *replaced):
        assert old in configuration
        configuration = configuration.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(configuration)
    process = subprocess.Popen(["nginx", "-c", str(file), "-g", "daemon off;"])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health")  # nginx answers plain HTTP at a port of TLS with 400
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def sign(proxy: str, origin: str, host: str = "") -> httpx.Response:
    body = {"name": "customs-risk", "version": "1", "key": "signoff.technical", "value": "approved: sound"}
    headers = {"Origin": origin, "Host": host or origin.removeprefix("https://")}
    account = "ana", signoff_server.password("ana")
    return httpx.post(f"{proxy}{AJAX}/model-versions/set-tag", json=body, headers=headers, auth=account, timeout=60)


@pytest.mark.parametrize(
    ("origin", "host", "told"),
    [
        ("https://elsewhere.example", PUBLIC.removeprefix("https://"), "a page of 'https://elsewhere.example' may"),
        ("https://elsewhere.example", "elsewhere.example", "Host 'elsewhere.example' is not a name of this server"),
        (PUBLIC.replace("https", "http"), PUBLIC.removeprefix("https://"), "may change nothing here"),
        (PUBLIC, "tidewaiter.customs.example.evil.example", "is not a name of this server"),
    ],
)
def test_a_page_of_somebody_else_cannot_sign_with_a_reviewers_browser(proxy, server, origin, host, told) -> None:
    before = reading.rows(server.database_uri)
    refused = sign(proxy, origin, host)
    assert refused.status_code == 403
    assert told in refused.json()["message"]
    assert server.tags()["signoff.technical"] == "pending"
    assert reading.rows(server.database_uri) == before


def test_the_public_name_is_signed_through(proxy: str, server: Server) -> None:
    answer = sign(proxy, PUBLIC)
    assert answer.status_code == 200, answer.text
    assert answer.json()["tag"]["value"] == "approved by ana. ana: sound"
    assert server.tags()["signoff.technical"] == "approved by ana. ana: sound"


def test_kubernetes_asks_for_its_health_by_the_address_of_the_pod(proxy: str) -> None:
    assert httpx.get(f"{proxy}/health", headers={"Host": "10.1.2.3:8500"}).text == "OK"


@pytest.fixture(scope="module")
def heard() -> Generator[tuple[int, list[dict[str, str]]]]:
    """A server that keeps what it was asked with."""
    kept: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kept.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        Thread(target=web.serve_forever, daemon=True).start()
        yield web.server_port, kept
        web.shutdown()


@pytest.mark.parametrize("kind", ["kubernetes", "machine"])
def test_the_servers_hear_the_name_that_the_browser_said_and_websockets_come_through(kind, heard, tmp_path) -> None:
    told, kept = heard
    ports = str(free_port()), str(free_port())
    replaced = [("127.0.0.1:5000", f"127.0.0.1:{told}"), ("127.0.0.1:4200", f"127.0.0.1:{told}")]
    if kind == "kubernetes":
        configuration, scheme = of_kubernetes(), "http"
        replaced += [("listen 8500", f"listen {ports[0]}"), ("listen 8420", f"listen {ports[1]}")]
    else:
        configuration, scheme = of_a_machine(tmp_path), "https"
        replaced += [
            ("/etc/ssl/customs.example", str(tmp_path)),
            ("listen 443 ", f"listen {ports[0]} "),
            ("listen 4443 ", f"listen {ports[1]} "),
        ]
    said = {"Host": "customs.example:4443", "Origin": "https://customs.example:4443"}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with nginx(configuration, replaced, tmp_path, int(ports[0])), httpx.Client(verify=trusting) as client:
        for port in ports:
            client.get(f"{scheme}://127.0.0.1:{port}/x", headers=said).raise_for_status()
        client.get(f"{scheme}://127.0.0.1:{ports[1]}/api/events/in", headers=said | upgrade).raise_for_status()
        if kind == "machine":
            plain = client.get(f"http://127.0.0.1:{ports[1]}/x", headers=said)
            assert (plain.status_code, "plain HTTP request" in plain.text) == (400, True)
    mlflow, prefect, socket = kept[-3:]
    for each in (mlflow, prefect, socket):
        assert (each["host"], each["origin"]) == ("customs.example:4443", "https://customs.example:4443")
    assert (socket["upgrade"], socket["connection"].lower()) == ("websocket", "upgrade")
    assert "upgrade" not in mlflow | prefect
