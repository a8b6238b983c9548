"""The identity provider, asked by OpenID Connect: authorization code flow with PKCE, nonce and state, and nothing else.

Tokens come straight from the provider and are believed only if the provider signed them for this client, by one of two
algorithms, with a key that it publishes. Whatever cannot be told for certain is Denied; a provider that does not answer
is Away, which says nothing of the person.
"""

import math
import secrets
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from models.access import Identity
from models.access.identities import LONGEST_SUBJECT
from models.single_sign_on.client import Client, is_safe

ALGORITHMS = ["RS256", "ES256"]  # never one whose key is a secret: the published key would be that secret
LEEWAY_S = 30  # by which the provider's clock may differ from this one
KNOWN_S = 3600.0  # how long what the provider says of itself is believed
NEW_KEYS_S = 30.0  # how often at most its keys are asked for again because a token names another
TIMEOUT_S = 10.0
REST_S = 5.0  # after it did not answer it is not asked for so long: all would wait for it, one behind the other
MOST_GROUPS = 1000
_LONGEST_NAME = 200
_SIGNING = frozenset({"RSA", "EC"})
_PASSING = frozenset({"server_error", "temporarily_unavailable"})
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Denied(Exception):
    """The provider does not vouch for somebody, or not so that it can be believed. The message says why."""


class Away(Exception):
    """The provider does not answer as one. The message says why."""


@dataclass(frozen=True)
class Asked:
    """A sign-in that was begun: what must come back from the provider, and the secret that proves who began it."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Confirmed:
    """Whom the provider has confirmed: `name` is what it calls the person, and may be anything, or nothing.

    By `refresh_token` it is asked again, if it gave one.
    """

    identity: Identity
    name: str
    groups: frozenset[str]
    refresh_token: str | None = None


@dataclass(frozen=True)
class _Said:
    """What the provider says of itself, and when it was asked, on this process's clock."""

    metadata: Mapping[str, Any]
    keys: KeySet
    at: float


class Provider:
    """The provider of one client. `clock` counts seconds from any moment; `wall` from 1970, as tokens do."""

    def __init__(
        self,
        client: Client,
        groups_claim: str = "groups",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.client = client
        self._groups_claim, self._clock, self._wall = groups_claim, clock, wall
        self._said: _Said | None = None
        self._rests_until = -math.inf
        self._lock = Lock()

    def begin(self, redirect_uri: str) -> tuple[str, Asked]:
        """Return where a person's browser goes to sign in, and what must come back. Away if that is not known."""
        asked = Asked(*(secrets.token_urlsafe(32) for _ in range(3)))
        with self._oauth(redirect_uri) as oauth:
            address, _ = oauth.create_authorization_url(
                self._known().metadata["authorization_endpoint"],
                state=asked.state,
                code_verifier=asked.verifier,
                nonce=asked.nonce,
            )
        return address, asked

    def finish(self, asked: Asked, code: str, redirect_uri: str) -> Confirmed:
        """Return whom the provider confirms for the code with which it sent the browser back. Denied, or Away."""
        endpoint = self._known().metadata["token_endpoint"]
        with self._asking(), self._oauth(redirect_uri) as oauth:
            token = _token(lambda: oauth.fetch_token(endpoint, code=code, code_verifier=asked.verifier))
        return self._confirmed(token, {"nonce": asked.nonce})

    def renew(self, before: Confirmed) -> Confirmed:
        """Return whom the provider confirms now, in the place of somebody it confirmed before. Denied, or Away."""
        if before.refresh_token is None:
            raise Denied("the provider gave nothing by which it could be asked again")
        endpoint = self._known().metadata["token_endpoint"]
        with self._asking(), self._oauth(None) as oauth:
            token = _token(lambda: oauth.refresh_token(endpoint, refresh_token=before.refresh_token))
        found = self._confirmed({"refresh_token": before.refresh_token, **token}, {})
        if found.identity != before.identity:
            raise Denied("the provider now means somebody else")
        return found

    def sign_out_address(self) -> str | None:
        """Return the provider's own page for signing out; None if it has none, or is not known now."""
        address = self._said.metadata.get("end_session_endpoint") if self._said else None
        return address if isinstance(address, str) and is_safe(address) else None

    def _oauth(self, redirect_uri: str | None) -> OAuth2Client:
        said = self._known().metadata
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return OAuth2Client(
            client_id=self.client.client_id,
            client_secret=self.client.secret,
            token_endpoint_auth_method=method if self.client.secret else "none",
            scope=" ".join(self.client.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            verify=_certificates(),
        )

    def _confirmed(self, token: Mapping[str, Any], params: Mapping[str, str]) -> Confirmed:
        """Return whom an answer of the token endpoint confirms; Denied if its ID token is not to be believed."""
        if not isinstance(token.get("id_token"), str):
            raise Denied("the provider's answer has no ID token")
        try:
            decoded = self._decoded(token["id_token"])
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.client.issuer},
                    "aud": {"essential": True, "value": self.client.client_id},
                },
                {"client_id": self.client.client_id, "access_token": token.get("access_token"), **params},
            )
            claims.validate(int(self._wall()), LEEWAY_S)
        except (JoseError, AuthlibBaseError, ValueError, TypeError) as error:
            raise Denied(f"the provider's ID token is not to be believed: {error}") from error
        refresh = token.get("refresh_token")
        return Confirmed(
            Identity(self.client.issuer, _subject(claims)),
            _text(claims.get("preferred_username")) or _text(claims.get("email")),
            self._groups(claims),
            refresh if isinstance(refresh, str) else None,
        )

    def _groups(self, claims: Mapping[str, Any]) -> frozenset[str]:
        elsewhere = claims.get("_claim_names")
        if isinstance(elsewhere, Mapping) and self._groups_claim in elsewhere:
            raise Denied(f"the person has more groups than the provider puts into {self._groups_claim!r}")
        groups = claims.get(self._groups_claim, [])
        if (
            not isinstance(groups, list)
            or len(groups) > MOST_GROUPS
            or not all(isinstance(each, str) for each in groups)
        ):
            raise Denied(f"{self._groups_claim!r} of the ID token is no list of up to {MOST_GROUPS} groups")
        return frozenset(groups)

    def _decoded(self, token: str) -> jwt.Token:
        said = self._known()
        try:
            return jwt.decode(token, said.keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # it may have new keys
            if self._clock() - said.at < NEW_KEYS_S:
                raise
            return jwt.decode(token, self._known(NEW_KEYS_S).keys, algorithms=ALGORITHMS)

    def _known(self, for_s: float = KNOWN_S) -> _Said:
        """Return what the provider says of itself, asked anew after `for_s`. Away if it does not answer."""
        with self._lock:
            if self._said is None or self._clock() - self._said.at >= for_s:
                with self._asking():
                    self._said = self._ask()
            return self._said

    @contextmanager
    def _asking(self) -> Generator[None]:
        """Let the provider be asked in the block, if it has answered of late; Away if it has not."""
        if self._clock() < self._rests_until:
            raise Away("the provider did not answer a moment ago")
        try:
            yield
        except Away:
            self._rests_until = self._clock() + REST_S
            raise

    def _ask(self) -> _Said:
        issuer = self.client.issuer
        try:
            with httpx2.Client(timeout=TIMEOUT_S, verify=_certificates()) as client:
                metadata = (
                    client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
                )
                if not isinstance(metadata, dict) or metadata.get("issuer") != issuer:
                    raise Away(f"what lies at {issuer} does not call itself by this name")
                for name in _ENDPOINTS:
                    if not isinstance(metadata.get(name), str) or not is_safe(metadata[name]):
                        raise Away(f"{name} of {issuer} is no https address")
                published = client.get(metadata["jwks_uri"]).raise_for_status().json()["keys"]
                keys = KeySet.import_key_set({"keys": [key for key in published if key.get("kty") in _SIGNING]})
        except (httpx2.HTTPError, JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Away(f"{issuer} does not answer as an identity provider: {error}") from error
        return _Said(metadata, keys, self._clock())


@cache
def _certificates() -> ssl.SSLContext:
    """Return the machine's certificates, or those that SSL_CERT_FILE names; reading them takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _token(fetch: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return fetch()
    except AuthlibBaseError as error:  # the provider's own word, such as invalid_grant
        if error.error in _PASSING:
            raise Away(f"the provider cannot answer now: {error.error}") from error
        raise Denied(f"the provider refuses: {error.error}") from error
    except (httpx2.HTTPError, ValueError) as error:
        raise Away(f"the provider does not answer: {error}") from error


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise Denied("sub of the ID token is no subject")
    return subject


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME else ""
