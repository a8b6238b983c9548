"""A house with one sign-on in this process: the guard of MLflow's server, with real accounts, around nearly nothing.

The identity provider is a real one on loopback; people come by a browser, which keeps cookies, or by programs.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient

from models import policy
from models.access import BreakGlass, Call, Directory, Entrance, Identities, Lives, Names, PersonalTokens, accounts
from models.account_page import AccountPage
from models.ledger import Book, Entry, storage
from models.policy import Policy, SignOn
from models.runs.guard import Guard as RunsGuard
from models.server.arrivals import Arrivals
from models.server.given_identities import GivenIdentities
from models.server.guard import Guard
from models.server.introduced import authenticate
from models.server.pages import Page
from models.server.uploads import EvidenceLock
from models.single_sign_on import Arrival, Client, Confirmed, Ends, Provider, Sessions, entered
from models.single_sign_on import SignOn as OneSignOn
from models.single_sign_on.sign_on import COOKIE, COOKIE_OF_RUNS
from tests.support.identity_provider import CLIENT_ID, SECRET, IdentityProvider

ADMINISTRATOR_PASSWORD, SERVICE_PASSWORD = "only-for-tests-0123", "service-for-tests-0123"
GROUPS = {
    "reviewers": ("reviewer",),
    "analysts": ("risk-analyst",),
    "makers": ("data-scientist",),
    "keepers": ("administrator",),
}
LOCAL, PUBLIC = "http://127.0.0.1:5000", "https://customs.example"
BROWSER = {"user-agent": "Mozilla/5.0", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
FROM_PROVIDER = {**BROWSER, "sec-fetch-site": "cross-site"}


def in_force() -> Policy:
    return policy.load().model_copy(update={"sign_on": SignOn(groups=GROUPS)})


def make_accounts(file: Path) -> None:
    """Make MLflow's database of accounts, with the roles of the policy and the local administrator."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(f"sqlite:///{file}")
    accounts.prepare(store, policy.load().signoff, SERVICE_PASSWORD)
    store.create_user(accounts.ADMINISTRATOR_ACCOUNT, ADMINISTRATOR_PASSWORD, is_admin=True)
    store.engine.dispose()


class _Noting:
    """Rules that note nothing and allow everything: what may be done is not what is tried here."""

    from contextlib import nullcontext

    def noting(self, call: Call) -> Any:
        return self.nullcontext()

    def judge(self, call: Call) -> Call:
        return call


@dataclass
class House:
    """The house.

    `notes` are the ledger's entries about accounts, `past` tells who came past the provider, and `book` judges who
    signs by /signoff.
    """

    folder: Path
    idp: IdentityProvider
    now: list[float] = field(default_factory=lambda: [1000.0])
    notes: list[Entry] = field(default_factory=list)
    past: list[str] = field(default_factory=list)
    url: str = LOCAL

    def __post_init__(self) -> None:
        from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

        uri = f"sqlite:///{self.folder / 'accounts.db'}"
        self.store = SqlAlchemyStore()
        self.store.init_db(uri)
        self.directory, self.identities = Directory(uri), Identities(uri)
        self.policy = in_force()
        self.tokens = PersonalTokens(uri, Lives(timedelta(days=90), timedelta(days=7)))
        self.arrive = Arrivals(self.store, self.directory, self.identities, self.policy, self.notes.append)
        self.sign_on = OneSignOn(
            Provider(Client(self.idp.issuer, CLIENT_ID, SECRET), clock=lambda: self.now[0]),
            Sessions(Ends(36_000, 3_600, 600), lambda: self.now[0]),
            Names((PUBLIC,)),
            self.arrive,
            self.directory.known,
        )
        entrance = self._entrance(self.sign_on)
        own = AccountPage(self.tokens, self.notes.append, is_one_sign_on=True)
        linking = GivenIdentities(self.identities, self.directory.names, self.idp.issuer, self.note)
        self.book = Book(self.policy.signoff)
        pages = [
            Page("account", own.answer, own.act, is_noted=False),
            Page("identities", linking.answer, linking.act),
            Page("signoff", self._shown, self._signed, is_noted=False),
            Page("desk", self._shown),
        ]
        rules: Any = _Noting()
        table: Any = None
        self.guard = Guard(
            _told, entrance, rules, table, pages, self._front, EvidenceLock(self.folder), sign_on=self.sign_on
        )

    def browser(self) -> "Browser":
        return Browser(self, TestClient(self.guard, self.url, follow_redirects=False))

    def at_runs(self) -> "Browser":
        """Return a browser at Prefect's server, whose guard has sessions of its own."""

        def arrive(confirmed: Confirmed, address: str) -> Arrival:
            return entered(confirmed, self.identities, self.policy)

        sessions = Sessions(self.sign_on.sessions.ends, lambda: self.now[0])
        provider, names = self.sign_on.provider, Names((PUBLIC,))
        sign_on = OneSignOn(provider, sessions, names, arrive, self.directory.known, COOKIE_OF_RUNS)
        rules: Any = None  # what people change is not tried here
        guard = RunsGuard(_told_runs, self._entrance(sign_on), rules, sign_on)
        return Browser(self, TestClient(guard, self.url, follow_redirects=False), "/", COOKIE_OF_RUNS)

    def _entrance(self, sign_on: OneSignOn) -> Entrance:
        past = BreakGlass("MLflow", self.past.append, self.notes.append, lambda: self.now[0])
        names = Names((PUBLIC,))
        return Entrance(self.directory, names, tokens=self.tokens, sessions=sign_on, is_one_sign_on=True, past=past)

    def program(self, **given: Any) -> Any:
        """Ask as a program does, and return the answer."""
        client = TestClient(self.guard, self.url, follow_redirects=False, headers={"user-agent": "python"})
        return client.get("/api/2.0/mlflow/runs/get", **given)

    def note(self, entry: Entry) -> None:
        """Take an entry into the ledger."""
        self.notes.append(entry)
        self.book.apply(entry)

    def link(self, who: str, name: str, subject: str) -> Any:
        """Say as somebody that an account is who the provider knows by a subject."""
        secret = {"admin": ADMINISTRATOR_PASSWORD}.get(who, "a-password-0123")
        body = {"username": name, "issuer": "", "subject": subject}
        client = TestClient(self.guard, self.url, headers={"user-agent": "python"})
        return client.post("/api/2.0/tidewaiter/identities/accounts", json=body, auth=(who, secret))

    def open_version(self, *authors: str) -> None:
        """Have a version wait for signatures that these have made."""
        self.book.apply(self.book.opening(1, "d" * 64, authors, storage.now(), "s" * 64))

    def roles(self, name: str) -> tuple[str, ...]:
        return self.directory.role_names(name)

    def close(self) -> None:
        self.directory.close()
        self.identities.close()
        self.tokens.close()
        self.store.engine.dispose()

    def _front(self, roles: object) -> Response:
        return JSONResponse({"roles": sorted(roles)})  # ty: ignore[invalid-argument-type]

    def _shown(self, call: Call, request: object) -> Response:
        return JSONResponse({"name": call.name, "actor": call.actor, "roles": call.roles})

    def _signed(self, call: Call, request: object, body: bytes) -> Response:
        step = "technical" if "risk-analyst" in call.roles else "governance"
        about = {"version": 1, "step": step, "digest": "d" * 64, "reason": "sound"}
        entry = call.entry("approve", storage.now(), **about)
        refusal = self.book.refusal(entry)
        if refusal is None:
            self.book.apply(entry)
        return JSONResponse({"actor": call.actor, "refusal": refusal})


@dataclass
class Browser:
    """A browser with its cookies."""

    house: House
    client: TestClient
    page: str = "/signoff"
    cookie: str = COOKIE

    def open(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=BROWSER | headers)

    def send(self, path: str, **fields: str) -> Any:
        origin = {"origin": self.house.url, "sec-fetch-site": "same-origin"}
        return self.client.post(path, data=fields, headers=BROWSER | origin)

    def begin(self, then: str = "/signoff") -> str:
        """Begin to sign in; return the address at the provider to which the browser is sent."""
        answer = self.open(f"/sign-in?{urlencode({'then': then})}")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def come_back(self, address: str) -> Any:
        """Follow the provider's way back."""
        parts = urlsplit(address)
        return self.client.get(f"{parts.path}?{parts.query}", headers=FROM_PROVIDER)

    def sign_in(self, subject: str, then: str = "/signoff") -> Any:
        """Sign in as a person at the provider, and return the last page of it."""
        self.house.idp.who = subject
        return self.come_back(self.house.idp.visit(self.begin(then)))

    @property
    def session(self) -> str:
        return self.client.cookies.get(self.cookie) or ""

    def who(self) -> str | None:
        """Return as whom the server knows this browser."""
        answer = self.open(self.page)
        return answer.json()["actor"] if answer.status_code == 200 else None


async def _told(scope: Any, receive: Any, send: Any) -> None:
    """Stand for MLflow: tell who was introduced, as MLflow would find it out, and what came with the request."""
    from flask import Flask

    headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
    with Flask("told").test_request_context("/", headers=headers):
        found = authenticate()
    seen = sorted({name.lower() for name, _ in headers} & {"cookie", "authorization"})
    answer = JSONResponse({"account": getattr(found, "username", None), "seen": seen})
    await answer(scope, receive, send)


async def _told_runs(scope: Any, receive: Any, send: Any) -> None:
    """Stand for Prefect, which is told nothing of who asks: tell what came with the request, or one message."""
    seen = sorted({name.decode().lower() for name, _ in scope["headers"]} & {"cookie", "authorization"})
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": " ".join(seen) or "nothing"})
        await send({"type": "websocket.close", "code": 1000})
        return
    await JSONResponse({"actor": "somebody", "seen": seen})(scope, receive, send)


def opened(template: Path, folder: Path, idp: IdentityProvider) -> Iterator[House]:
    """Yield a house with the accounts of a template, which is copied."""
    shutil.copy(template, folder / "accounts.db")
    house = House(folder, idp)
    yield house
    house.close()
