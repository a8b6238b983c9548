"""The face of one sign-on: it answers its addresses on a server, and tells whose session a request belongs to.

    /sign-in            to the identity provider, and back to the page that was asked for
    /sign-in/callback   where the provider sends the browser back
    /sign-out           ends the session (by POST)
    /local-sign-in      has the browser ask for the local administrator's password, for when the provider is away

What begins a sign-in is sealed into a cookie of the browser that began it, so that nobody can be signed in as somebody
else by a link, and nothing is kept for those who never come back.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response

from models.access import Account, Names, Refused
from models.names import ADMINISTRATOR
from models.single_sign_on.provider import Asked, Away, Confirmed, Denied, Provider
from models.single_sign_on.sessions import Session, Sessions
from models.site import Site

SIGN_IN, CALLBACK, SIGN_OUT = "/sign-in", "/sign-in/callback", "/sign-out"
LOCAL = "/local-sign-in"  # at the top, as a browser brings a password to what lies beside or below where it was asked
BEGUN_S = 600  # how long a person may take at the provider
# A browser sends cookies to all ports of a machine, so each server has a name of its own for its sessions.
COOKIE, COOKIE_OF_RUNS = "tidewaiter-session", "tidewaiter-runs-session"
_BEGUN = "tidewaiter-sign-in-"  # with the beginning of the state, so that two tabs can sign in at once
_MOST_USED = 10_000
_AT_ONCE = 8  # sign-ins that wait for the provider
_LONGEST_PATH = 2_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """Who may enter, by the account that the person has here, and the roles that the person's groups give."""

    account: str
    roles: frozenset[str]


class _Begun(BaseModel):
    """A sign-in that a browser has begun, as its cookie holds it; `then` is the page that was asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: str
    nonce: str
    verifier: str
    then: str


@dataclass
class SignOn:
    """One sign-on at one server, under `names`.

    `arrive` tells who enters here for somebody whom the provider has confirmed, from an address, and raises Refused if
    nobody does. `known` gives the account of a name as it stands now; None if it is gone. `cookie` is the name of the
    sessions' cookie.
    """

    provider: Provider
    sessions: Sessions
    names: Names
    arrive: Callable[[Confirmed, str], Arrival]
    known: Callable[[str], Account | None]
    cookie: str = COOKIE
    _seal: Fernet = field(default_factory=lambda: Fernet(Fernet.generate_key()), init=False, repr=False)
    _used: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _places: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_AT_ONCE), init=False, repr=False
    )
    _site: Site = field(default_factory=lambda: Site("sign-in", Path(__file__).parent), init=False, repr=False)

    @staticmethod
    def has(path: str) -> bool:
        """Whether an address is one of one sign-on's.

        >>> [SignOn.has(path) for path in ("/sign-in", "/sign-in/callback", "/sign-out", "/signoff", "/sign-ins")]
        [True, True, True, False, False]
        """
        return path in (SIGN_IN, SIGN_OUT, LOCAL) or path.startswith(f"{SIGN_IN}/")

    # What the entrance asks.

    def account(self, headers: Headers, is_use: bool = True) -> Account | None:
        """Return whose session a request belongs to, and is a use of; None if it belongs to none that goes on.

        Of the roles that the account has, those count which the person's groups give. Raises Refused with 503 if the
        provider had to be asked again and does not answer.
        """
        identifier = _cookies(headers).get(self._cookie(headers), "")
        session = self.sessions.find(identifier, is_use) if identifier else None
        if session is None:
            return None
        with session.lock:
            if self.sessions.is_due(session) and not self._confirm(session):
                self.sessions.end(identifier)
                return None
        account = self.known(session.account)
        if account is None:
            self.sessions.end(identifier)
            return None
        given = frozenset(account.role_names) & session.roles
        roles = tuple(role for role in account.roles if role.name in given)
        return replace(account, roles=roles, is_administrator=account.is_administrator and ADMINISTRATOR in given)

    # What a guard asks.

    async def answer(self, request: Request, address: str) -> Response:
        """Return the answer at one of the addresses; Refused if there is none."""
        acts: Mapping[tuple[str, str], Callable[[Request, str], Response]] = {
            ("GET", SIGN_IN): self._begin,
            ("GET", CALLBACK): self._finish,
            ("POST", SIGN_OUT): self._end,
            ("GET", LOCAL): self._ask_password,
            ("GET", f"{SIGN_IN}/site.css"): self._file,
            ("GET", f"{SIGN_IN}/icon.svg"): self._file,
            ("GET", f"{SIGN_IN}/htmx.min.js"): self._file,
        }
        act = acts.get((request.method, request.url.path))
        if act is None:
            raise Refused(f"{request.method} {request.url.path!r} is not part of this product", HTTPStatus.NOT_FOUND)
        return await anyio.to_thread.run_sync(act, request, address, limiter=self._places)

    @staticmethod
    def led(request: Request) -> Response | None:
        """Return the answer to a browser without a session: a page leads to the sign-in; None for programs.

        It does not ask for a password, for which the browser would open a window of its own.
        """
        mode = request.headers.get("sec-fetch-mode")
        if mode is None or "authorization" in request.headers:
            return None
        if mode == "navigate" and request.method == "GET":
            asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return RedirectResponse(f"{SIGN_IN}?{urlencode({'then': asked})}", HTTPStatus.SEE_OTHER, _NOT_KEPT)
        sentence = "The session has ended: open the page again to sign in."
        return Response(sentence, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer", **_NOT_KEPT})

    def _begin(self, request: Request, address: str) -> Response:
        try:
            leads_to, asked = self.provider.begin(self._callback(request))
        except Away as away:
            return self._said(request, "away", str(away), HTTPStatus.SERVICE_UNAVAILABLE)
        begun = _Begun(**asdict(asked), then=_own_page(request.query_params.get("then", "/")))
        answer = RedirectResponse(leads_to, HTTPStatus.SEE_OTHER, _NOT_KEPT)
        sealed = self._seal.encrypt(begun.model_dump_json().encode()).decode()
        self._set(request, answer, self._begun(request.headers, asked.state), sealed, BEGUN_S)
        return answer

    def _finish(self, request: Request, address: str) -> Response:
        """Let in whom the provider has confirmed to the browser that asked for it, in a session that is new."""
        given = request.query_params
        begun = self._taken(request, given.get("state", ""))
        if begun is None:
            return self._said(request, "unasked", "", HTTPStatus.BAD_REQUEST)
        if "code" not in given:
            return self._said(request, "denied", given.get("error", "")[:200], HTTPStatus.FORBIDDEN)
        asked = Asked(begun.state, begun.nonce, begun.verifier)
        try:
            confirmed = self.provider.finish(asked, given["code"], self._callback(request))
            arrival = self.arrive(confirmed, address)
        except Denied as denied:
            _log.warning("Somebody from %s was not let in: %s", address, denied)
            return self._said(request, "denied", str(denied), HTTPStatus.FORBIDDEN)
        except Away as away:
            return self._said(request, "away", str(away), HTTPStatus.SERVICE_UNAVAILABLE)
        except Refused as refused:
            return self._said(request, "refused", str(refused), refused.status)
        cookie = self._cookie(request.headers)
        self.sessions.end(request.cookies.get(cookie, ""))
        identifier = self.sessions.begin(arrival.account, arrival.roles, confirmed)
        # A redirect would go on being a visit from the provider's site, which may open less than a link of ours.
        answer = self._said(request, "signed_in", "", HTTPStatus.OK, begun.then)
        self._set(request, answer, cookie, identifier, None)
        self._set(request, answer, self._begun(request.headers, begun.state), "", 0)
        return answer

    def _end(self, request: Request, address: str) -> Response:
        cookie = self._cookie(request.headers)
        self.sessions.end(request.cookies.get(cookie, ""))
        answer = self._said(request, "signed_out", "", HTTPStatus.OK)
        self._set(request, answer, cookie, "", 0)
        return answer

    def _ask_password(self, request: Request, address: str) -> Response:
        if "authorization" in request.headers:
            return RedirectResponse("/", HTTPStatus.SEE_OTHER, _NOT_KEPT)
        challenge = {"WWW-Authenticate": 'Basic realm="mlflow"', **_NOT_KEPT}
        return Response("The local administrator signs in here.", HTTPStatus.UNAUTHORIZED, challenge)

    def _file(self, request: Request, address: str) -> Response:
        return self._site.file(request.url.path.rpartition("/")[2])

    def _confirm(self, session: Session) -> bool:
        """Ask the provider again who the person is, and with which groups; False ends the session."""
        try:
            confirmed = self.provider.renew(session.confirmed)
            arrival = self.arrive(confirmed, "")
        except (Denied, Refused) as gone:
            _log.info("The session of %s ends: %s", session.account, gone)
            return False
        except Away as away:
            raise Refused(f"The identity provider has to confirm your session: {away}", 503) from away
        if arrival.account != session.account:
            return False
        session.confirmed, session.roles = confirmed, arrival.roles
        session.confirmed_at = self.sessions.clock()
        return True

    def _taken(self, request: Request, state: str) -> _Begun | None:
        """Return the sign-in that this browser has begun with a state, once; None if it has begun none."""
        try:
            content = self._seal.decrypt(request.cookies.get(self._begun(request.headers, state), ""), ttl=BEGUN_S)
            begun = _Begun.model_validate_json(content)
        except (InvalidToken, ValueError):
            return None
        now = time.monotonic()
        with self._lock:
            if begun.state != state or now - self._used.get(state, -BEGUN_S) < BEGUN_S:
                return None
            if len(self._used) >= _MOST_USED:
                del self._used[next(iter(self._used))]
            self._used[state] = now
        return begun

    def _said(self, request: Request, what: str, why: str, status: int, then: str = "") -> Response:
        values = {"what": what, "why": why, "then": then, "provider_page": self.provider.sign_out_address()}
        return self._site.render("said.html", None, request, values, status)

    def _callback(self, request: Request) -> str:
        return f"{self.names.address(request.headers.get('host', ''))}{CALLBACK}"

    def _cookie(self, headers: Headers) -> str:
        """Return the name of the session's cookie."""
        return self._prefixed(headers, self.cookie)

    def _begun(self, headers: Headers, state: str) -> str:
        """Return the name of the cookie of a sign-in that was begun with a state."""
        plain = "".join(char for char in state[:12] if char.isascii() and (char.isalnum() or char in "-_"))
        return self._prefixed(headers, f"{_BEGUN}{plain}")

    def _prefixed(self, headers: Headers, name: str) -> str:
        """Return a cookie's name, with the prefix that keeps other servers of the domain from setting it."""
        return f"__Host-{name}" if self._is_encrypted(headers) else name

    def _is_encrypted(self, headers: Headers) -> bool:
        return self.names.address(headers.get("host", "")).startswith("https://")

    def _set(self, request: Request, answer: Response, name: str, value: str, seconds: int | None) -> None:
        is_encrypted = self._is_encrypted(request.headers)
        answer.set_cookie(name, value, seconds, path="/", secure=is_encrypted, httponly=True, samesite="lax")


_NOT_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _cookies(headers: Headers) -> dict[str, str]:
    return cookie_parser(headers.get("cookie", ""))


def _own_page(path: str) -> str:
    """Return an address of this server to go on at; its first page for what could lead elsewhere.

    >>> [_own_page(path) for path in ("/desk?x=1", "//evil.example", "https://evil.example", "/\\\\evil.example", "x")]
    ['/desk?x=1', '/', '/', '/', '/']
    """
    is_own = (
        path.startswith("/")
        and not path.startswith(("//", SIGN_IN, SIGN_OUT, LOCAL))
        and path.isascii()
        and path.isprintable()
        and "\\" not in path
        and len(path) <= _LONGEST_PATH
    )
    return path if is_own else "/"
