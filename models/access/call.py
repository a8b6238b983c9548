"""One request to the MLflow server, as the rules see it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from models.ledger import Entry, chain
from models.names import ADMINISTRATOR, LONGEST_TAG, SERVICE

LONGEST_TEXT = LONGEST_TAG

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_ROW = re.compile(r"[0-9]{1,18}")


class Refused(Exception):
    """A call was refused, with the sentence that the person reads.

    `status` is HTTP's; `is_noted` says that the ledger has the refusal already.
    """

    def __init__(self, sentence: str, status: int = 403, is_noted: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.is_noted = is_noted


@dataclass(frozen=True)
class Call:
    """One authenticated request: who asks for what. `name` is that of its route; `body` is its JSON.

    `role_numbers` has the numbers of the actor's roles, which stay when a role is renamed. `is_by_token` says that a
    personal token stands for the actor.
    """

    method: str
    name: str
    actor: str
    roles: tuple[str, ...]
    address: str
    request: str
    body: Mapping[str, Any]
    role_numbers: Mapping[str, int] = field(default_factory=dict)
    is_by_token: bool = False

    @property
    def is_administrator(self) -> bool:
        return ADMINISTRATOR in self.roles

    @property
    def is_service(self) -> bool:
        return self.actor == SERVICE

    def refuse_token(self) -> None:
        """Raise Refused if a personal token stands for the actor: what outlives a token is changed by the person."""
        if self.is_by_token:
            raise Refused("a token changes no accounts, roles, links and offices: sign in yourself")

    @property
    def version(self) -> int | None:
        """Return the version that the call is about, if it names one as MLflow's clients do."""
        text = self.body.get("version")
        return int(text) if isinstance(text, str) and _VERSION.fullmatch(text) else None

    def number(self) -> int:
        """Return the version, which must be there; Refused if it is not."""
        if self.version is None:
            raise Refused(f"version is {self.body.get('version')!r}; allowed: a number as text, such as '3'", 400)
        return self.version

    def text(self, field: str) -> str:
        """Return a field that must be text, of a length and kind that the ledger can keep; Refused if it is not."""
        value = self.body.get(field)
        if not isinstance(value, str):
            raise Refused(f"{field} is {value!r}; allowed: text", 400)
        if len(value) > LONGEST_TEXT or any("\ud800" <= char <= "\udfff" for char in value):
            raise Refused(f"{field} is not Unicode text of up to {LONGEST_TEXT} characters", 400)
        return value

    def with_body(self, **fields: object) -> "Call":
        return replace(self, body={**self.body, **fields})

    def entry(self, action: chain.Action, at: datetime, **parts: Any) -> Entry:  # noqa: ANN401  fields of Entry
        """Return the ledger's entry for this call."""
        return Entry(
            at=at,
            actor=self.actor,
            roles=self.roles,
            role_numbers=dict(self.role_numbers),
            address=self.address,
            request=self.request,
            action=action,
            **parts,
        )


def row_number(text: str) -> int:
    """Return the row after which a list is asked for; Refused if it is no number that a table could have."""
    if not _ROW.fullmatch(text):
        raise Refused(f"after is {text[:40]!r}; allowed: the number of a row", 400)
    return int(text)
