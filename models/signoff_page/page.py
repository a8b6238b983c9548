"""What the guard asks of the page: its addresses, what it shows there, and the form by which people sign."""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from models.access import Call, Refused, accounts
from models.decisions import Unavailable, agreement
from models.ledger import Book, Case, chain
from models.ledger.lifecycle import State
from models.names import MODEL, SIGNOFF
from models.signoff_page.versions import Unreadable, Versions
from models.site import Form, Site

PREFIX = "signoff"
_OPEN = (State.AWAITING, State.EXPIRED)  # which may be signed, now or later
DECISIONS = ("approved", "rejected", "revoked", "withdrawn")
_VERSION = re.compile(rf"{PREFIX}/versions/([1-9][0-9]{{0,8}})(?:/(.+))?")
_SHOWN = ("gain", "reliability", "burden", "returns")  # pictures of the run
_REPORTS = ("drift.html", "validation.html")
_FILE = re.compile(rf"plots/(?:{'|'.join(_SHOWN)})\.png|drift\.html|validation\.html|validation/[^/]+\.html")
# A report is shown in a frame of the page: it runs nothing, and asks for nothing.
_REPORT_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox allow-same-origin; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Line:
    """A version in the list: where it stands, who made it, what it waits for, and whether the reader may sign it.

    While people are signing the version `behind`, nobody signs this one.
    """

    number: int
    state: State
    authors: tuple[str, ...]
    awaited: str
    role: str
    missing: int
    ends_at: datetime | None
    is_mine: bool
    behind: int | None


class SignoffPage:
    """The page; `sign` takes a call that edits the tag of a step, as MLflow's own page sends it.

    `live` returns how a version agrees with the champion on what the window has asked both about, or None. `unlinked`
    returns the accounts whose names a version bears, and which are linked to nobody at the identity provider.
    """

    def __init__(
        self,
        versions: Versions,
        sign: Callable[[Call], None],
        live: Callable[[str], agreement.LiveAgreement | None],
        unlinked: Callable[[int], Collection[str]],
        is_played: bool = False,
    ) -> None:
        self._versions, self._sign, self._live, self._unlinked = versions, sign, live, unlinked
        self._site = Site(PREFIX, Path(__file__).parent, is_played)

    def answer(self, call: Call, request: Request) -> Response:
        """Return what is shown at an address below /signoff; Refused if there is nothing."""
        if call.name == PREFIX:
            return self._list(call, request)
        found = _VERSION.fullmatch(call.name)
        if found is None:
            return self._site.file(call.name.removeprefix(f"{PREFIX}/"))
        number, below = int(found[1]), found[2]
        case = self._case(self._versions.book(), number)
        if below is None:
            return self._version(call, request, case)
        if below == "tally":
            return self._site.render("tally.html", call, request, self._standing(call, case))
        return self._file(case, below)

    def act(self, call: Call, request: Request, body: bytes) -> Response:
        """Sign by a form sent to a version's address, and lead back to the version."""
        found = _VERSION.fullmatch(call.name)
        if found is None or found[2] is not None:
            raise Refused(f"nothing is sent to /{call.name}", HTTPStatus.NOT_FOUND)
        number = int(found[1])
        case = self._case(self._versions.book(), number)
        form = Form.read(request.headers.get("content-type", ""), body)
        step = form.choice("step", tuple(each.name for each in case.steps))
        decision, reason = form.choice("decision", DECISIONS), form.text("reason")
        tag = {"name": MODEL, "version": str(number), "key": f"{SIGNOFF}{step}", "value": f"{decision}: {reason}"}
        try:
            self._sign(replace(call, name="mlflow/model-versions/set-tag", body=tag))
        except Refused as refusal:
            return self._version(call, request, case, str(refusal), reason, refusal.status)
        return self._site.back_to(f"/versions/{number}")

    def _list(self, call: Call, request: Request) -> Response:
        book, now = self._versions.book(), datetime.now(UTC)
        lines = [_line(book, case, call, now) for case in sorted(book.cases.values(), key=lambda case: -case.version)]
        is_open = {line.number: line.state in _OPEN for line in lines}
        return self._site.render(
            "list.html",
            call,
            request,
            {
                "mine": [line for line in lines if is_open[line.number] and line.is_mine],
                "others": [line for line in lines if is_open[line.number] and not line.is_mine],
                "done": [line for line in lines if not is_open[line.number]],
                "unopened": sorted(set(self._versions.numbers()) - book.cases.keys(), reverse=True),
                "champion": book.champion,
                "previous": book.previous,
                "now": now,
            },
        )

    def _version(
        self, call: Call, request: Request, case: Case, refusal: str = "", reason: str = "", status: int = 200
    ) -> Response:
        values = {
            "history": self._versions.history(case.version),
            "pictures": _SHOWN,
            "reports": _REPORTS,
            "refusal": refusal,
            "reason": reason,
            "unreadable": "",
            **self._standing(call, case),
        }
        try:
            documents = self._versions.documents(case.version, case.digest)
        except Unreadable as error:
            return self._site.render("version.html", call, request, values | {"unreadable": str(error)}, status)
        values |= {
            "judged": documents.judged,
            **self._agreement(case),
            "verdicts": Counter(gate.verdict for gate in documents.judged.gates),
            "card": _html(documents.card),
        }
        return self._site.render("version.html", call, request, values, status)

    def _agreement(self, case: Case) -> dict[str, object]:
        """Return the live agreement of a version, and why it cannot be told now, if so."""
        try:
            return {"live": self._live(str(case.version)), "live_unknown": ""}
        except Unavailable as error:
            return {"live": None, "live_unknown": str(error)}

    def _standing(self, call: Call, case: Case) -> dict[str, object]:
        """Return where a version stands now, and what the reader may do about it or why not."""
        book, now = self._versions.book(), datetime.now(UTC)
        case = book.cases[case.version]
        awaited, signed = case.awaited(now), next((s for s in case.in_force(now) if s.user == call.actor), None)
        state = book.state(case.version, now)
        return {
            "case": case,
            "state": state,
            "now": now,
            "awaited": awaited,
            "signed": signed if signed and not _refusal(book, call, case, "revoke", signed.step, now) else None,
            "cannot": _refusal(book, call, case, "approve", awaited.name, now) if awaited else "",
            "unlinked": self._unlinked(case.version) if state in _OPEN else (),
            "local_administrator": accounts.ADMINISTRATOR_ACCOUNT,
            "may_refuse": awaited and not _refusal(book, call, case, "reject", awaited.name, now),
            "is_mine_to_withdraw": not _refusal(book, call, case, "withdraw", case.steps[0].name, now),
            "champion": book.champion,
        }

    def _file(self, case: Case, name: str) -> Response:
        if not _FILE.fullmatch(name):
            raise Refused(f"version {case.version} has no file {name[:100]!r} here", HTTPStatus.NOT_FOUND)
        try:
            content = self._versions.file(case.version, name)
        except FileNotFoundError:
            raise Refused(f"version {case.version} has no file {name}", HTTPStatus.NOT_FOUND) from None
        return Response(content, media_type=guess_type(name)[0], headers=_REPORT_HEADERS)

    def _case(self, book: Book, number: int) -> Case:
        if number not in book.cases:
            raise Refused(f"version {number} has not been opened: its evidence was never verified", 404)
        return book.cases[number]


def _html(card: str) -> Markup:
    """Return a card in Markdown as HTML; what is HTML in it already is shown as text."""
    # Markdown has no table without a head, and an empty head tells who hears it nothing.
    return Markup(_MARKDOWN.render(card).replace("<th></th>", "<td></td>"))


def _line(book: Book, case: Case, call: Call, now: datetime) -> Line:
    awaited = case.awaited(now)
    return Line(
        case.version,
        book.state(case.version, now),
        case.authors,
        awaited.name if awaited else "",
        awaited.role if awaited else "",
        case.missing(awaited, now) if awaited else 0,
        min((signature.at + case.valid_for for signature in case.in_force(now)), default=None),
        awaited is not None and not _refusal(book, call, case, "approve", awaited.name, now),
        book.waits_behind(case.version, now),
    )


def _refusal(book: Book, call: Call, case: Case, action: chain.Action, step: str, now: datetime) -> str:
    """Return why the reader may not do this; empty if nothing but a reason is wanted."""
    about = {"version": case.version, "step": step, "digest": case.digest, "reason": "-", "grant": "-"}
    return book.refusal(call.entry(action, now, **about)) or ""
