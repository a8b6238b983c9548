"""How the guard tells MLflow who asks: MLflow's own accounts decide on grants, and the guard alone on who is there.

A session and a personal token mean nothing to MLflow, and a password need not be looked at twice. `authenticate` is
what MLflow calls for each request (`authorization_function` of its configuration; assembly.py sets it).
"""

import hmac
import secrets
from urllib.parse import quote, unquote

from flask import Response, request
from starlette.types import Scope
from werkzeug.datastructures import Authorization

_HEADER = "x-tidewaiter-account"
_SECRET = secrets.token_urlsafe(32)  # of this process: nobody outside can introduce anybody
_OUTSIDE = (b"authorization", b"cookie", _HEADER.encode())


def introduced(scope: Scope, account: str) -> Scope:
    """Return the request as it goes on to MLflow: with the account that asks, and without what proved it."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in _OUTSIDE]
    return {**scope, "headers": [*headers, (_HEADER.encode(), f"{_SECRET} {quote(account)}".encode())]}


def authenticate() -> Authorization | Response:
    """Return the account that the guard has introduced; 401 if it has introduced none."""
    secret, _, account = request.headers.get(_HEADER, "").partition(" ")
    if not account or not hmac.compare_digest(secret.encode(), _SECRET.encode()):
        return Response("Sign in first.", 401)
    return Authorization("basic", {"username": unquote(account), "password": ""})
