"""The entrance of a server: from which pages requests come, whose they are, and how much of them is taken in.

The guards of MLflow and of Prefect stand behind it, and decide what an account may do. A person comes with a password,
with a personal token, or, where the house has one sign-on, in a session of models/single_sign_on.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import Receive
from werkzeug.datastructures import Authorization

from models.access import personal_tokens
from models.access.accounts import ADMINISTRATOR_ACCOUNT
from models.access.call import Refused
from models.access.directory import Account, Directory
from models.access.personal_tokens import PersonalTokens
from models.names import SERVICE

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
WRONG_IN_A_ROW = 5  # so many wrong passwords, and a name has to wait
LONGEST_WAIT_S = 60.0
BODY_S = 30.0
BODIES_AT_ONCE = 16  # unfinished bodies of one account
_MOST_NAMES = 10_000
_CHECKS_AT_ONCE = 2
_SESSIONS_AT_ONCE = 16  # that may wait for the identity provider, without a place of those who come otherwise
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Names:
    """The names of a server: loopback at any port, so that a tunnel works, and the names of `public_urls`.

    >>> names = Names(("https://customs.example",))
    >>> [names.is_own(f"{scheme}://customs.example", "customs.example") for scheme in ("https", "http")]
    [True, False]
    >>> names.is_own("http://localhost:6000", "localhost:6000"), names.is_own("http://localhost:6001", "localhost:6000")
    (True, False)
    >>> names.is_host("10.evil.example"), names.is_host("customs.example"), names.is_host("127.0.0.1:5000")
    (False, True, True)
    """

    public_urls: tuple[str, ...] = ()

    def is_host(self, host: str) -> bool:
        """Whether a Host header names this server."""
        return self._known(host) is not None

    def is_own(self, origin: str, host: str) -> bool:
        """Whether `origin` is that of the pages which this server serves under `host`."""
        scheme, separator, authority = origin.partition("://")
        known = self._known(host)
        if not separator or known is None or scheme not in known:
            return False
        own, other = _HOST.fullmatch(host.lower()), _HOST.fullmatch(authority.lower())
        if own is None or other is None or own[1] != other[1]:
            return False
        usual = _DEFAULT_PORTS[scheme]
        return (own[2] or usual) == (other[2] or usual)

    def address(self, host: str) -> str:
        """Return the address of the pages that this server serves under `host`; Refused if that is not its name.

        >>> Names(("https://customs.example",)).address("customs.example"), Names().address("127.0.0.1:5000")
        ('https://customs.example', 'http://127.0.0.1:5000')
        """
        schemes = self._known(host)
        if schemes is None:
            raise Refused(f"Host {host[:100]!r} is not a name of this server")
        match = _HOST.fullmatch(host.lower())
        is_local = match is not None and match[1] in LOOPBACK  # nothing encrypts there
        return f"{'http' if is_local else max(schemes)}://{host.lower()}"

    def _known(self, host: str) -> frozenset[str] | None:
        """Return the schemes under which a name is served; None if it is not one of this server's."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return None
        if match[1] in LOOPBACK:
            return frozenset(_DEFAULT_PORTS)
        public = frozenset(url.scheme for url in map(urlsplit, self.public_urls) if url.hostname == match[1])
        return public or None


class Sessions(Protocol):
    """Knows who has signed in at the house's identity provider."""

    def account(self, headers: Headers, is_use: bool = True) -> Account | None:
        """Return whose session a request belongs to, and is a use of; None if it belongs to none that goes on.

        It may take a while.
        """
        ...


@dataclass
class _Misses:
    """The wrong passwords of one name in a row, and when the next one is looked at."""

    count: int = 0
    next_at: float = 0.0


@dataclass
class Entrance:
    """The entrance of one server. `tell` gets (name, address, how many) after many wrong passwords in a row.

    `tokens` are those of persons. With `is_one_sign_on` people sign in at the house's identity provider, and no
    password counts but that of the local administrator, of whose address `past` is told, and those of the service's
    own principals. `sessions` are those of a server that people sign in at.
    """

    directory: Directory
    names: Names
    tell: Callable[[str, str, int], None] = lambda name, address, count: None
    clock: Callable[[], float] = time.monotonic
    tokens: PersonalTokens | None = None
    sessions: Sessions | None = None
    is_one_sign_on: bool = False
    past: Callable[[str], None] = lambda address: None
    _misses: dict[str, _Misses] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _newcomers: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_CHECKS_AT_ONCE), init=False, repr=False
    )
    _in_sessions: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_SESSIONS_AT_ONCE), init=False, repr=False
    )
    _bodies: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    def refuse_foreign(self, method: str, headers: Headers, is_changing: bool) -> None:
        """Raise Refused if another page than this server's own asks; `is_changing` requests leave a trace.

        A browser tells the origin of a request by Origin, or else by Sec-Fetch-Site, or else by Referer. A client that
        tells nothing is a program, which brings its own credentials and not those that a browser keeps.
        """
        host, origin, site, mode, referer, agent = (
            _one(headers, name)
            for name in ("host", "origin", "sec-fetch-site", "sec-fetch-mode", "referer", "user-agent")
        )
        if not self.names.is_host(host):
            raise Refused(f"Host {host!r} is not a name of this server")
        came_by_link = method in ("GET", "HEAD") and not is_changing and mode == "navigate"
        if origin:
            is_own, said = self.names.is_own(origin, host), origin
        elif site:
            is_own, said = site in ("same-origin", "none") or came_by_link, f"another site ({site})"
        elif referer:
            said = _origin_of(referer)
            is_own = self.names.is_own(said, host) or not is_changing
        else:
            is_own, said = not (is_changing and agent.startswith("Mozilla/")), "nowhere"
        if not is_own:
            raise Refused(f"a page of {said!r} may change nothing here")

    async def signed_in(self, headers: Headers, address: str, is_use: bool = True) -> Account:
        """Return the account that asks. Refused with 401 if the request does not tell it.

        What a program says of itself goes before the session that a browser keeps. A session ends some time after its
        last use, and what a page asks by itself is no use of it.
        """
        if self.sessions and "authorization" not in headers:
            account = await anyio.to_thread.run_sync(self.sessions.account, headers, is_use, limiter=self._in_sessions)
            if account is None:
                raise Refused("Sign in first.", 401)
            return account
        if token := _bearer(headers):
            return await anyio.to_thread.run_sync(self._by_token, token)
        return await self.signed_in_as(*_given(headers), address)

    async def signed_in_as(self, name: str, password: str, address: str) -> Account:
        """Return what `account_by` does, without making the loop wait.

        Accounts that have not signed in before take no place of those that have; otherwise made-up names could keep
        everybody waiting while their passwords are looked at. Of guesses that come at once, most are looked at after
        the first were found wrong, and so wait like those that come one by one.
        """
        places = None if self.directory.is_remembered(name, password) else self._newcomers
        return await anyio.to_thread.run_sync(self.account_by, name, password, address, limiter=places)

    def account_by(self, name: str, password: str, address: str) -> Account:
        """Return the account by name and password; after WRONG_IN_A_ROW wrong ones a name waits, refused with 429.

        An account that signed in before is let in meanwhile: otherwise anybody who knows a name could keep its owner
        out. A personal token stands in the place of a password.
        """
        if personal_tokens.is_token(password):
            account = self._by_token(password)
            if account.name != name:
                raise Refused("Sign in first.", 401)
            return account
        if self.is_one_sign_on and name not in {SERVICE, ADMINISTRATOR_ACCOUNT, *self.directory.own}:
            raise Refused("Sign in at the identity provider; programs bring a personal token.", 401)
        if not self.directory.is_remembered(name, password):
            self._wait_for_turn(name)
        account = self.directory.account(name, password)
        if account is None:
            self._missed(name, address)
            raise Refused("Sign in first.", 401)
        with self._lock:
            self._misses.pop(name, None)
        if self.is_one_sign_on and name == ADMINISTRATOR_ACCOUNT:
            self.past(address)
        return account

    @asynccontextmanager
    async def taking_in(self, account: Account) -> AsyncGenerator[None]:
        """Count a body while it is read; Refused with 429 if the account has too many unfinished ones."""
        if self._bodies[account.name] >= BODIES_AT_ONCE:
            raise Refused(f"{account.name} has {BODIES_AT_ONCE} unfinished requests: finish one first", 429)
        self._bodies[account.name] += 1
        try:
            yield
        finally:
            self._bodies[account.name] -= 1
            if not self._bodies[account.name]:
                del self._bodies[account.name]

    def _by_token(self, token: str) -> Account:
        """Return the account of a personal token, with the roles that it has now; Refused with 401 if there is none."""
        owner = self.tokens.owner(token, datetime.now(UTC)) if self.tokens else None
        account = self.directory.known(owner) if owner else None
        if account is None:
            raise Refused("This token does not count: it has ended or was revoked, or its person must sign in.", 401)
        return replace(account, is_by_token=True)

    def _wait_for_turn(self, name: str) -> None:
        with self._lock:
            wait_s = self._misses.get(name, _Misses()).next_at - self.clock()
        if wait_s > 0:
            raise Refused(f"too many wrong passwords: try again in {wait_s:.0f} s", 429)

    def _missed(self, name: str, address: str) -> None:
        with self._lock:
            if len(self._misses) >= _MOST_NAMES and name not in self._misses:
                del self._misses[next(iter(self._misses))]
            misses = self._misses.setdefault(name, _Misses())
            misses.count += 1
            excess = misses.count - WRONG_IN_A_ROW
            if excess >= 0:
                misses.next_at = self.clock() + min(2.0**excess, LONGEST_WAIT_S)
            count = misses.count
        _log.warning("A wrong password, the %dth in a row, for %r from %s", count, name[:100], address)
        if count % WRONG_IN_A_ROW == 0:
            self.tell(name, address, count)


async def whole(receive: Receive, most: int, seconds: float = BODY_S) -> bytes:
    """Return the body of a request; Refused with 413 if it is larger than `most` bytes, 408 if it takes too long."""
    body = bytearray()
    try:
        with anyio.fail_after(seconds):
            async for part in parts(receive):
                body += part
                if len(body) > most:
                    raise Refused(f"the body is larger than {most} bytes", 413)
    except TimeoutError:
        raise Refused(f"the body did not come within {seconds:.0f} s", 408) from None
    return bytes(body)


async def parts(receive: Receive) -> AsyncGenerator[bytes]:
    """Yield the body of a request as it comes; Refused if the peer breaks off."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("the request broke off", 400)
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def refuse_length(headers: Headers, most: int) -> None:
    """Raise Refused if a request says that it is larger than `most` bytes, before any of it is read."""
    stated = headers.get("content-length", "0")
    if not (stated.isascii() and stated.isdigit() and len(stated) < 20) or int(stated) > most:
        raise Refused(f"the body is larger than {most} bytes", 413)


def _given(headers: Headers) -> tuple[str, str]:
    """Return name and password of HTTP Basic; Refused with 401 if the request does not tell them."""
    given = headers.getlist("authorization")
    parsed = Authorization.from_header(given[0]) if len(given) == 1 else None
    if parsed is None or parsed.type != "basic" or not parsed.username or not parsed.password:
        raise Refused("Sign in first.", 401)
    return parsed.username, parsed.password


def _bearer(headers: Headers) -> str:
    """Return the personal token that a program brings as such; empty if it brings none."""
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" and personal_tokens.is_token(token.strip()) else ""


def _origin_of(referer: str) -> str:
    try:
        return "://".join(urlsplit(referer)[:2])
    except ValueError:  # for example http://[
        return "nowhere"


def _one(headers: Headers, name: str) -> str:
    found = headers.getlist(name)
    if len(found) > 1:
        raise Refused(f"{name} is there {len(found)} times; allowed is one", 400)
    return found[0] if found else ""
