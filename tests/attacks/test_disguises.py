"""One request that nobody may make, in many disguises: the administrator points champion at a version that waits."""

import json

import httpx
import pytest

from tests.attacks.scene import (
    ALIAS,
    WAITING,
)
from tests.support.signoff_server import ADMINISTRATOR, API

MOVE = json.dumps({**ALIAS, "version": WAITING}).encode()
PATHS = [
    "/api/2.0/mlflow/registered-models/alias",
    "/ajax-api/2.0/mlflow/registered-models/alias",
    "/api/3.0/mlflow/registered-models/alias",
    "/api/2.0/preview/mlflow/registered-models/alias",
    "/API/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow//registered-models/alias",
    "//api/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/./registered-models/alias",
    "/api/2.0/mlflow/runs/../registered-models/alias",
    "/health/../api/2.0/mlflow/registered-models/alias",
    "/static-files/../api/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/runs/%2e%2e/registered-models/alias",
    "/api/2.0/mlflow/registered-models%2falias",
    "/api/2.0/mlflow/registered-models%252falias",
    "/api/2.0/mlflow/registered-models/%61lias",
    "/api/2.0/mlflow/registered-models/%2561lias",
    "/api/2.0/mlflow/registered-models/alias/",
    "/api/2.0/mlflow/registered-models/alias%2f",
    "/api/2.0/mlflow/registered-models/alias%00",
    "/api/2.0/mlflow/registered-models/alias%20",
    "/api/2.0/mlflow/registered-models/alias%0a",
    "/api/2.0/mlflow/registered-models/alias;x=1",
    "/api/2.0/mlflow/registered-models\\alias",
    "/api/2.0/mlflow/registered-models%5calias",
    "/api/2.0/mlflow/registered-models/alias?x=1",
    "/api/2.0/mlflow/registered-models/alias%3fx=1",
    "/api/2.0/mlflow/registered-models/alias#x",
    "http://127.0.0.1/api/2.0/mlflow/registered-models/alias",
    "http://elsewhere.example//api/2.0/mlflow/registered-models/alias",
    "api/2.0/mlflow/registered-models/alias",
    "*",
]
# Those that the server takes for the route itself: refused as an attempt, and in the ledger.
UNDERSTOOD = {
    "/api/2.0/mlflow/registered-models/alias",
    "/ajax-api/2.0/mlflow/registered-models/alias",
    "/api/3.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/registered-models/%61lias",
    "/api/2.0/mlflow/registered-models%2falias",
    "/api/2.0/mlflow/registered-models/alias?x=1",
    "/api/2.0/mlflow/registered-models/alias#x",
    "http://127.0.0.1/api/2.0/mlflow/registered-models/alias",
}


@pytest.mark.parametrize("path", PATHS)
def test_other_paths_to_the_same_route(scene, path):
    with scene.refused(*[ADMINISTRATOR] * (path in UNDERSTOOD)):
        status = scene.raw(ADMINISTRATOR, f"POST {path} HTTP/1.1", body=MOVE)
    assert status in ((400, 403) if path in UNDERSTOOD else (400, 404))


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("post", 400),
        ("Post", 400),
        ("PUT", 404),
        ("put", 404),
        ("PATCH", 404),
        ("TRACE", 404),
        ("CONNECT", 404),
        ("PROPFIND", 404),
        ("POST\x0b", 400),
    ],
)
def test_other_methods_on_the_same_route(scene, method, status):
    with scene.refused():
        found = scene.raw(ADMINISTRATOR, f"{method} /api/2.0/mlflow/registered-models/alias HTTP/1.1", body=MOVE)
    assert found in (status, 400)


@pytest.mark.attempts(4)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "get"])
def test_what_reads_changes_nothing(scene, method):
    with scene.refused():
        for name in ("registered-models/alias", "registered-models/rename", "model-versions/set-tag", "runs/delete"):
            scene.raw(ADMINISTRATOR, f"{method} /api/2.0/mlflow/{name}?name=customs-risk HTTP/1.1", body=MOVE)


BODIES: dict[str, tuple[str, bytes]] = {
    "a form": ("application/x-www-form-urlencoded", b"name=customs-risk&alias=champion&version=3"),
    "JSON called a form": ("application/x-www-form-urlencoded", MOVE),
    "many parts": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n--x--',
    ),
    "JSON called text": ("text/plain", MOVE),
    "JSON without a type": ("", MOVE),
    "another JSON": ("application/vnd.api+json", MOVE),
    "JSON inside a JSON string": ("application/json", json.dumps(MOVE.decode()).encode()),
    "a name twice": (
        "application/json",
        b'{"name": "other", "name": "customs-risk", "alias": "champion", "version": "3"}',
    ),
    "an alias twice": ("application/json", MOVE[:-1] + b', "alias": "x"}'),
    "an escaped name twice": ("application/json", MOVE[:-1] + b', "al\\u0069as": "x"}'),
    "a list": ("application/json", b"[" + MOVE + b"]"),
    "null": ("application/json", b"null"),
    "nothing": ("application/json", b""),
    "an empty object": ("application/json", b"{}"),
    "two objects": ("application/json", b"{}" + MOVE),
    "UTF-16": ("application/json", MOVE.decode().encode("utf-16")),
    "UTF-16 that says so": ("application/json; charset=utf-16", MOVE.decode().encode("utf-16-le")),
    "UTF-32": ("application/json", MOVE.decode().encode("utf-32")),
    "UTF-7": ("application/json; charset=utf-7", MOVE.replace(b"champion", b"+AGM-hampion")),
    "a byte order mark": ("application/json", b"\xef\xbb\xbf" + MOVE),
    "bytes that are no text": ("application/json", MOVE.replace(b"champion", b"champion\xff")),
    "nested deeply": ("application/json", b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "nested": ("application/json", MOVE[:-1] + b', "x": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "a comment": ("application/json", b"/* */" + MOVE),
    "escapes": ("application/json", b'{"\\u006eame": "customs\\u002drisk", "alias": "champ\\u0069on", "version": "3"}'),
    "a half character": ("application/json", MOVE.replace(b"champion", b"champion\\ud800")),
    "camel case": ("application/json", MOVE[:-1] + b', "modelVersion": "3"}'),
    "the version as a number": ("application/json", MOVE.replace(b'"3"', b"3")),
    "the version with a nought": ("application/json", MOVE.replace(b'"3"', b'"03"')),
    "the version with a blank": ("application/json", MOVE.replace(b'"3"', b'" 3"')),
    "the version in other digits": ("application/json", MOVE.replace(b'"3"', '"\uff13"'.encode())),
    "the version with a sign": ("application/json", MOVE.replace(b'"3"', b'"+3"')),
    "the version with an underscore": ("application/json", MOVE.replace(b'"3"', b'"0_3"')),
    "the version as a list": ("application/json", MOVE.replace(b'"3"', b'["3"]')),
    "the name as a list": ("application/json", MOVE.replace(b'"customs-risk"', b'["customs-risk"]')),
    "the name with a NUL": ("application/json", MOVE.replace(b"customs-risk", b"customs-risk\\u0000")),
    "the name with a blank": ("application/json", MOVE.replace(b"customs-risk", b"customs-risk ")),
    "the name in capitals": ("application/json", MOVE.replace(b"customs-risk", b"CUSTOMS-RISK")),
    "the alias in capitals": ("application/json", MOVE.replace(b"champion", b"Champion")),
    "the alias with a blank": ("application/json", MOVE.replace(b"champion", b"champion ")),
    "the alias with a line": ("application/json", MOVE.replace(b"champion", b"champion\\n")),
    "the alias in wide letters": (
        "application/json",
        MOVE.replace(b"champion", "\uff43hampion".encode()),
    ),
    "the alias with nothing between": ("application/json", MOVE.replace(b"champion", "cham\u200bpion".encode())),
    "the alias in Cyrillic": ("application/json", MOVE.replace(b"champion", "\u0441hampion".encode())),
    "the alias with an accent": ("application/json", MOVE.replace(b"champion", "champio\u0301n".encode())),
    "the alias too long": ("application/json", MOVE.replace(b"champion", b"champion" * 100_000)),
}


@pytest.mark.parametrize("disguise", BODIES)
def test_other_bodies(scene, disguise):
    kind, body = BODIES[disguise]
    with scene.refused(*[ADMINISTRATOR] * (disguise != "UTF-7")):  # which is read as another alias, and no good one
        status = scene.raw(
            ADMINISTRATOR, "POST /api/2.0/mlflow/registered-models/alias HTTP/1.1", [f"Content-Type: {kind}"], body
        )
    assert status in (400, 403)
    assert len(scene.ledger(scene.last() - 1)[0].refusal or "") <= 5000


@pytest.mark.parametrize(
    ("header", "status", "is_noted"),
    [
        ("Content-Type: text/plain", 400, True),
        ("Content-Encoding: gzip", 400, True),
        ("X-HTTP-Method-Override: GET", 403, True),
        ("X-Original-URL: /health", 403, True),
        ("X-Forwarded-Prefix: /x", 403, True),
        ("X-Forwarded-For: 10.0.0.1", 403, True),
        ("X-MLFLOW-WORKSPACE: other", 403, True),
        ("Origin: https://elsewhere.example", 403, False),
        ("Origin: null", 403, False),
        ("Host: elsewhere.example", 400, False),
        ("Authorization: Basic dGlkZXdhaXRlcjp4", 401, False),
        ("Transfer-Encoding: chunked", 400, False),
    ],
)
def test_other_headers(scene, header, status, is_noted):
    headers = ["Content-Type: application/json", header]
    with scene.refused(*[ADMINISTRATOR] * is_noted):
        found = scene.raw(ADMINISTRATOR, "POST /api/2.0/mlflow/registered-models/alias HTTP/1.1", headers, MOVE)
    assert found == status


def test_fields_in_the_query(scene):
    with scene.refused(ADMINISTRATOR):
        path = f"{API}/registered-models/alias?name=customs-risk&alias=champion&version=3"
        assert scene.send(ADMINISTRATOR, "POST", path).status_code == 400


@pytest.mark.parametrize("path", ["/api/2.0/tidewaiter/ledger", f"{API}/registered-models/alias", "/graphql"])
@pytest.mark.parametrize("secret", [None, "", "wrong", "admin"])
def test_without_the_password(scene, path, secret):
    with scene.refused():
        account = (ADMINISTRATOR, secret) if secret is not None else None
        assert httpx.post(f"{scene.server.url}{path}", json=json.loads(MOVE), auth=account).status_code in (401, 404)
