"""The file `notices.toml`: who is told, of what, in which language, and at which addresses.

    [[recipients]]
    account = "rea"
    language = "fr"
    urls = ["mailtos://tidewaiter:password@mail.customs.example?to=rea@customs.example"]

    [[recipients]]
    role = "operator"
    urls = ["slack://...", "json://alerts.customs.example/tidewaiter"]
    kinds = ["run-failed", "night-missed", "fallback"]

An account is told what concerns it, its roles and its offices. A role's addresses are shared: they are told all that
concerns the role. The addresses are secrets: the file is refused if others can read it, and no message repeats them.
"""

import re
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.notices import sending
from models.notices.event import KINDS, Event, Pages
from models.notices.outbox import Address
from models.site import LANGUAGES

FILE = "notices.toml"
_TOP = ("own_url", "runs_url", "recipients")
_FIELDS = ("account", "role", "language", "kinds", "urls")
_SERVER = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_TABLE = re.compile(r"^\s*\[\[\s*recipients\s*\]\]", re.MULTILINE)


@dataclass(frozen=True)
class Person:
    """Holds the roles of an account, and the offices that are its own."""

    roles: Collection[str] = ()
    offices: Collection[str] = ()


@dataclass(frozen=True)
class Recipient:
    """Names somebody who is told: an account, or a role. `channels` are the addresses by a name without secrets.

    >>> Recipient("", "reviewer", "fr", ("waits",), {}).name
    'role reviewer (fr)'
    """

    account: str
    role: str
    language: str
    kinds: Sequence[str]
    channels: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return the name under which the outbox keeps what is told here."""
        return self.account or f"role {self.role} ({self.language})"

    @property
    def addresses(self) -> list[Address]:
        """Return the addresses as the outbox names them."""
        return [(self.name, channel) for channel in self.channels]

    def is_told(self, event: Event, person: Person) -> bool:
        """Say whether this recipient is told of an event; `person` is what the account is now."""
        if event.kind not in self.kinds:
            return False
        if self.role:
            return event.role == self.role
        name = self.account.casefold()
        if event.accounts:
            return name in (each.strip().casefold() for each in event.accounts)
        is_ours = event.role in person.roles and (not event.office or event.office in person.offices)
        return is_ours and name not in (each.strip().casefold() for each in event.but)


@dataclass(frozen=True)
class Recipients:
    """Holds what the file says; `pages` are the addresses that messages lead to. Without a file nobody is told."""

    everyone: Sequence[Recipient]
    pages: Pages

    @classmethod
    def read(cls, file: Path, pages: Pages, roles: Collection[str]) -> "Recipients":
        """Read the file; `pages` hold where it names none, and `roles` are allowed.

        ValueError, without any of the addresses, says what is wrong in which line and what is allowed.
        """
        if not file.exists():
            return cls((), pages)
        try:
            mode, text = file.stat().st_mode, file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} cannot be read ({getattr(error, 'strerror', 'it is no UTF-8')})") from error
        if mode & 0o077:
            raise ValueError(f"{file} is open to others (mode {stat.S_IMODE(mode):o}); allowed: mode 600")
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{file} is not TOML: {error}") from error
        _refuse_unknown(str(file), content, _TOP)
        own, runs = (_server(file, content, name) for name in ("own_url", "runs_url"))
        tables = content.get("recipients", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            raise ValueError(f"{file}: recipients is no list of tables; allowed: [[recipients]] before each")
        lines = [text.count("\n", 0, found.end()) + 1 for found in _TABLE.finditer(text)] or [1] * len(tables)
        read = [_recipient(f"{file}, line {line}", each, roles) for line, each in zip(lines, tables, strict=True)]
        names = [each.name for each in read]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{file}: {twice} is there twice; allowed: once, with all of its urls")
        return cls(read, Pages(own or pages.own, runs or pages.runs))

    @property
    def addresses(self) -> dict[Address, tuple[Recipient, str]]:
        """Return recipient and URL of each address."""
        return {(each.name, name): (each, url) for each in self.everyone for name, url in each.channels.items()}

    @property
    def accounts(self) -> list[str]:
        """Return the accounts that are told."""
        return [each.account for each in self.everyone if each.account]


def _recipient(where: str, table: Mapping[str, Any], roles: Collection[str]) -> Recipient:
    _refuse_unknown(where, table, _FIELDS)
    account, role, language = (_text(where, table, name) for name in ("account", "role", "language"))
    if bool(account) == bool(role):
        raise ValueError(f"{where}: it needs one of account and role")
    if role and role not in roles:
        raise ValueError(f"{where}: role is {role!r}; allowed: {', '.join(sorted(roles))}")
    if language and language not in LANGUAGES:
        raise ValueError(f"{where}: language is {language!r}; allowed: {', '.join(LANGUAGES)}")
    kinds = _texts(where, table, "kinds") if "kinds" in table else list(KINDS)
    if unknown := next((kind for kind in kinds if kind not in KINDS), None):
        raise ValueError(f"{where}: kinds has {unknown!r}; allowed: {', '.join(KINDS)}")
    urls = _texts(where, table, "urls")
    if not urls:
        raise ValueError(f"{where}: urls is empty; allowed: one or more addresses of Apprise, such as mailtos://...")
    return Recipient(account, role, language or "en", tuple(kinds), dict(_channels(where, urls)))


def _channels(where: str, urls: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each URL with its scheme, and a number where a scheme comes again."""
    seen: list[str] = []
    for place, url in enumerate(urls, 1):
        if why := sending.why_not(url):
            raise ValueError(f"{where}: urls[{place}] {why}")
        scheme = url.partition("://")[0].lower()
        seen.append(scheme)
        yield scheme if seen.count(scheme) == 1 else f"{scheme} {seen.count(scheme)}", url


def _refuse_unknown(where: str, table: Mapping[str, Any], allowed: Sequence[str]) -> None:
    if unknown := next((name for name in table if name not in allowed), None):
        raise ValueError(f"{where}: {unknown} is not known; allowed: {', '.join(allowed)}")


def _text(where: str, table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str) or (name in table and not value.strip()):
        raise ValueError(f"{where}: {name} is no text; allowed: text in quotes")
    return value.strip()


def _texts(where: str, table: Mapping[str, Any], name: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f'{where}: {name} is no list of texts; allowed: such as ["...", "..."]')
    return value


def _server(file: Path, content: Mapping[str, Any], name: str) -> str:
    url = _text(str(file), content, name).rstrip("/")
    if url and not _SERVER.fullmatch(url):
        raise ValueError(
            f"{file}: {name} is {url!r}; allowed: the address of a server, as https://customs.example:4443"
        )
    return url
