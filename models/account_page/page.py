"""What the guard asks of the page: what it shows, its forms, and the same for `tidewaiter token`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.access import Call, PersonalToken, PersonalTokens, Refused, accounts, strict_json
from models.evidence import digests
from models.ledger import Entry, storage
from models.site import Form, Site

PREFIX = "account"
_TOKENS = f"{PREFIX}/tokens"
_OF_COMMAND = f"tidewaiter/{_TOKENS}"
_USUAL_DAYS = 30


@dataclass(frozen=True)
class AccountPage:
    """The page; `note` adds an entry to the ledger, and `is_one_sign_on` says that there are sessions to end."""

    tokens: PersonalTokens
    note: Callable[[Entry], None]
    is_one_sign_on: bool
    site: Site = field(default_factory=lambda: Site(PREFIX, Path(__file__).parent))

    def answer(self, call: Call, request: Request) -> Response:
        """Return the page, a file of it, or to a program the tokens of its account; Refused if there is neither."""
        if call.name == PREFIX:
            return self._page(call, request)
        if call.name == _OF_COMMAND:
            now = datetime.now(UTC)
            return JSONResponse({"tokens": [_told(each, now) for each in self.tokens.of(call.actor)]})
        return self.site.file(call.name.removeprefix(f"{PREFIX}/"))

    def act(self, call: Call, request: Request, body: bytes) -> Response:
        """Make or revoke a token, as a form or a program asks."""
        if call.name == _OF_COMMAND:
            return JSONResponse({"token": self._done(call, *_read(request, body))})
        if call.name != _TOKENS:
            raise Refused(f"nothing is sent to /{call.name}", HTTPStatus.NOT_FOUND)
        form = Form.read(request.headers.get("content-type", ""), body)
        do, name = form.choice("do", ("new", "revoke")), form.text("name")
        try:
            token = self._done(call, do, name, form.text("days") if do == "new" else "0")
        except Refused as refusal:
            return self._page(call, request, refusal=str(refusal), status=refusal.status)
        return self._page(call, request, token=token) if token else self.site.back_to("")

    def _done(self, call: Call, do: str, name: str, days: str) -> str | None:
        """Make or revoke a token, and return the one that was made; Refused if that is not allowed."""
        if do == "new" and call.is_by_token:
            raise Refused("a token makes no other: otherwise none would ever end; sign in yourself")
        if do == "new" and (call.is_service or (self.is_one_sign_on and call.actor == accounts.ADMINISTRATOR_ACCOUNT)):
            raise Refused(f"{call.actor} is no person, and has a password alone")
        told = {"personal_token": name, "do": do} | ({"days": days} if do == "new" else {})
        now = datetime.now(UTC)
        try:
            token = self.tokens.make(call.actor, name, _number(days), now) if do == "new" else None
            if do == "revoke":
                self.tokens.revoke(call.actor, name, now)
        except ValueError as error:
            raise Refused(str(error), HTTPStatus.BAD_REQUEST) from error
        self.note(call.entry("account", storage.now(), reason=digests.canonical(told).decode()))
        return token

    def _page(
        self, call: Call, request: Request, refusal: str = "", token: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        values = {
            "tokens": self.tokens.of(call.actor),
            "now": datetime.now(UTC),
            "refusal": refusal,
            "token": token,
            "usual_days": _USUAL_DAYS,
            "is_one_sign_on": self.is_one_sign_on,
        }
        return self.site.render("account.html", call, request, values, status)


def _told(token: PersonalToken, now: datetime) -> dict[str, object]:
    ends_at, made_at = (each.isoformat(timespec="seconds") for each in (token.ends_at, token.made_at))
    return {"name": token.name, "made_at": made_at, "ends_at": ends_at, "counts": token.counts(now)}


def _read(request: Request, body: bytes) -> tuple[str, str, str]:
    """Return what a program asks for: what to do, a token's name, and its days; Refused if it does not say so."""
    said = strict_json.parse(body, request.headers)
    if not isinstance(said, dict) or not said.keys() <= {"do", "name", "days"}:
        raise Refused("the body is not an object with do, name and days", 400)
    do, name, days = said.get("do"), said.get("name"), said.get("days", _USUAL_DAYS)
    if do not in ("new", "revoke") or not isinstance(name, str) or type(days) is not int:
        raise Refused("do is new or revoke, name a text, and days a whole number", 400)
    return do, name, str(days)


def _number(days: str) -> int:
    if not (days.isascii() and days.isdigit() and len(days) < 5):
        raise ValueError(f"days is {days[:20]!r}; allowed: a whole number")
    return int(days)
