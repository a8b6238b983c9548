"""Which offices are whose: an administrator gives them, and the ledger notes it as it does every change of accounts."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.access import Call, Refused, accounts, offices, strict_json
from models.evidence import digests
from models.ledger import Entry, storage

PREFIX = "offices"
_NAME = f"tidewaiter/{PREFIX}/accounts"
_FIELDS = {"username", "offices"}


@dataclass(frozen=True)
class GivenOffices:
    """The offices of accounts; `roles` tells those of an account, and `note` adds an entry to the ledger."""

    kept: offices.Offices
    roles: Callable[[str], tuple[str, ...]]
    note: Callable[[Entry], None]

    def answer(self, call: Call, request: Request) -> Response:
        """Return the offices of every account that has one; to all but administrators and auditors, their own."""
        _require_known(call)
        if call.is_administrator or accounts.AUDITOR in call.roles:
            return JSONResponse({"accounts": self.kept.every()})
        own = self.kept.of(call.actor)
        return JSONResponse({"accounts": {call.actor: own} if own else {}})

    def act(self, call: Call, request: Request, body: bytes) -> Response:
        """Give an account the offices that the body names, and no others; Refused if it is no officer's account."""
        _require_known(call)
        if not call.is_administrator:
            raise Refused(f"offices are the administrator's to give, not {call.actor}'s")
        call.refuse_token()
        given = strict_json.parse(body, request.headers)
        if not isinstance(given, dict) or given.keys() != _FIELDS:
            raise Refused(f"the body is not an object with {' and '.join(sorted(_FIELDS))}", 400)
        call = call.with_body(**given)
        name, listed = call.text("username"), given["offices"]
        if not isinstance(listed, list) or not all(isinstance(office, str) for office in listed):
            raise Refused("offices is not a list of texts", 400)
        if not {accounts.OFFICER, accounts.SUPERVISOR}.intersection(self.roles(name)):
            raise Refused(f"{name} is neither {accounts.OFFICER} nor {accounts.SUPERVISOR}, and has no use for offices")
        try:
            offices.refuse_odd(listed)
        except ValueError as error:
            raise Refused(str(error), 400) from error
        told = digests.canonical({"username": name, "offices": sorted(set(listed))}).decode()
        self.note(call.entry("account", storage.now(), reason=told))
        self.kept.give(name, listed, call.actor)
        return JSONResponse({"username": name, "offices": self.kept.of(name)})


def _require_known(call: Call) -> None:
    if call.name != _NAME:
        raise Refused(f"{call.method} {call.name!r} is not part of this product", 404)
