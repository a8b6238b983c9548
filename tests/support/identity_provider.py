"""A minimal identity provider on loopback, by OpenID Connect: discovery, keys, the code flow with PKCE, refresh tokens.

It does what a good provider does, so that its refusals are real ones, and can be told to do otherwise, for attacks.
"""

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, SECRET = "tidewaiter", "a-secret-for-tests"
Claims = dict[str, Any]
# Made once: an RSA key takes a while.
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})


@dataclass
class IdentityProvider:
    """The provider at `issuer`. `people` are those who are signed in there, by subject, with the claims about each.

    `who` is the person at the browser. `sign` makes an ID token of claims, and `spoil` changes the claims before that.
    """

    issuer: str = ""
    people: dict[str, Claims] = field(default_factory=dict)
    who: str = ""
    algorithm: str = "RS256"
    gives_refresh_token: bool = True
    is_away: bool = False
    says: Claims | str = field(default_factory=dict)  # what it says of itself otherwise
    spoil: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    honours_used_codes: bool = False
    keys: dict[str, Any] = field(default_factory=lambda: {"RS256": RSA, "ES256": EC})
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        routes = [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/keys", self._keys),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def visit(self, address: str) -> str:
        """Return where the provider sends the browser of `who` back to, when it comes to sign in."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        if self.who not in self.people:
            return f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "sub": self.who}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def claims(self, subject: str, **more: Any) -> Claims:
        now = int(time.time())
        told = {"iss": self.issuer, "sub": subject, "aud": CLIENT_ID, "iat": now, "exp": now + 300}
        return {**told, **self.people[subject], **more}

    def id_token(self, claims: Claims) -> str:
        if self.sign:
            return self.sign(self.spoil(claims))
        key = self.keys[self.algorithm]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, self.spoil(claims), key)

    async def _discovery(self, request: Request) -> Response:
        if self.is_away:
            return Response("out of order", 503)
        if isinstance(self.says, str):
            return JSONResponse(self.says)
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        places["end_session_endpoint"] = "sign-out"
        told = {"issuer": self.issuer, **{name: f"{self.issuer}/{at}" for name, at in places.items()}}
        return JSONResponse(told | self.says)

    async def _keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys.values()]})

    async def _authorize(self, request: Request) -> Response:
        return RedirectResponse(self.visit(str(request.url)), 303)

    async def _token(self, request: Request) -> Response:
        if self.is_away:
            self.asked.append("in vain")
            return Response("out of order", 503)
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append(given["grant_type"])
        expected = "Basic " + base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return JSONResponse({"error": "invalid_client"}, 401)
        found = self._by_code(given) if given["grant_type"] == "authorization_code" else self._by_refresh(given)
        return JSONResponse(found or {"error": "invalid_grant"}, 200 if found else 400)

    def _by_code(self, given: dict[str, str]) -> dict[str, str] | None:
        code = given.get("code", "")
        asked = self.codes.get(code) if self.honours_used_codes else self.codes.pop(code, None)
        if asked is None or asked["redirect_uri"] != given.get("redirect_uri"):
            return None
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        return self._given(asked["sub"], nonce=asked["nonce"])

    def _by_refresh(self, given: dict[str, str]) -> dict[str, str] | None:
        subject = self.refresh_tokens.pop(given.get("refresh_token", ""), None)  # each counts once
        return self._given(subject) if subject in self.people else None

    def _given(self, subject: str, **more: str) -> dict[str, str]:
        told = {
            "access_token": "opaque",
            "token_type": "Bearer",
            "id_token": self.id_token(self.claims(subject, **more)),
        }
        if self.gives_refresh_token:
            token = secrets.token_urlsafe(16)
            self.refresh_tokens[token] = subject
            told["refresh_token"] = token
        return told


def unsigned(header: dict[str, str], claims: Claims, signature: bytes = b"") -> str:
    """Return a token put together by hand, with a header and a signature that no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@contextmanager
def serving(provider: IdentityProvider) -> Generator[IdentityProvider]:
    """Serve a provider on loopback while the block runs, in a thread of this process."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # whoever comes before the thread has begun waits, and is not turned away
    provider.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
