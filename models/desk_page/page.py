"""What the guard asks of the desk's pages: their addresses, and what is shown there.

forms.py has what officers send. Whatever the desk refuses is told on the page where it was tried, in one sentence.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.access import Call, accounts
from models.access import Refused as Closed
from models.database import Unavailable
from models.decisions import Decision, DecisionLog
from models.desk import Case, Desk, Night, Officer, Refused, record
from models.desk_page import forms, sentences, supervision
from models.desk_page.panels import PANELS, About
from models.policy import LANES, Lanes
from models.site import Site
from models.trace import Traced

PREFIX = "desk"
ROLES = frozenset({accounts.OFFICER, accounts.SUPERVISOR})
LARGEST = 10_000_000  # bytes, of a photo
_CASE = re.compile(rf"{PREFIX}/cases/([1-9][0-9]{{0,15}})(?:/([a-z-]+))?(?:/([0-9a-f]{{64}}))?")
_WORKER = "worker.js"


@dataclass(frozen=True)
class DeskPage:
    """The pages, over one desk and the log of decisions, whose tables `prepare` makes if they are not there.

    `offices` and `roles` tell those of an account. `source` is the one whose declarations the window answers, `night`
    what is selected of it at night, and `lanes` are the policy's. Whoever asks for the queue follows one page of the
    log, so that a decision is there as soon as the window has answered; all else is followed beside requests.
    """

    desk: Desk
    log: DecisionLog
    prepare: Callable[[], None]
    offices: Callable[[str], tuple[str, ...]]
    roles: Callable[[str], tuple[str, ...]]
    source: str
    lanes: Lanes
    night: Night | None = None
    trace: Callable[[Case], Traced | None] = lambda case: None
    is_played: bool = False

    @cached_property
    def site(self) -> Site:
        return Site(PREFIX, Path(__file__).parent, self.is_played)

    def answer(self, call: Call, request: Request) -> Response:
        """Return what is shown at an address below /desk; Closed if there is nothing."""
        found = _CASE.fullmatch(call.name)
        try:
            self.prepare()
            if call.name == PREFIX:
                return self._queue(call, request)
            if call.name == f"{PREFIX}/{supervision.NAME}":
                officer = self.officer(call.actor, call.roles)
                values = supervision.shown(self.desk, officer, self.lanes, request.query_params)
                return self.site.render("supervision.html", call, request, values)
            if found and found[2] is None:
                return self._case(call, request, int(found[1]))
            if found and found[2] == "photos" and found[3]:
                photo = self.desk.photos.read(self.officer(call.actor, call.roles), int(found[1]), found[3])
                return Response(
                    photo.content, media_type=photo.media_type, headers={"X-Content-Type-Options": "nosniff"}
                )
        except Refused as refusal:
            return self._refused(call, request, refusal)
        except Unavailable as error:
            raise Closed(str(error), HTTPStatus.SERVICE_UNAVAILABLE) from error
        answer = self.site.file(call.name.removeprefix(f"{PREFIX}/"))
        if call.name == f"{PREFIX}/{_WORKER}":
            answer.headers["Service-Worker-Allowed"] = f"/{PREFIX}"
        return answer

    def act(self, call: Call, request: Request, body: bytes) -> Response:
        """Do what a form asks, and lead to the page that shows it; a program is answered in JSON."""
        officer, found = self.officer(call.actor, call.roles), _CASE.fullmatch(call.name)
        is_program = "application/json" in request.headers.get("accept", "")
        try:
            self.prepare()
            if call.name == f"{PREFIX}/next":
                self.desk.cases.follow_page(self.log)
                office = forms.read(request, body).fields.get("office", "")
                case = self.desk.queue.take_next(officer, (office,) if office else ())
                return self.site.back_to(f"/cases/{case.number}" if case else "?empty=1")
            if found is None or found[2] is None or found[3] is not None:
                raise Closed(f"nothing is sent to /{call.name}", HTTPStatus.NOT_FOUND)
            number, action = int(found[1]), found[2]
            if action == "photos":
                return JSONResponse({"photo": self.desk.photos.keep(officer, number, body)})
            if action == "finding":
                told = forms.find(self.desk, officer, number, forms.read(request, body))
                if is_program:
                    return JSONResponse(msgspec.to_builtins(told))
                if told.refusal:
                    return self._case(call, request, number, told.refusal, HTTPStatus.CONFLICT)
            else:
                forms.do(self.desk, officer, number, action, forms.read(request, body), self._colleague)
        except Refused as refusal:
            if is_program:
                return JSONResponse({"refusal": str(refusal)}, HTTPStatus.CONFLICT)
            return self._refused(call, request, refusal, int(found[1]) if found else None)
        except Unavailable as error:
            raise Closed(str(error), HTTPStatus.SERVICE_UNAVAILABLE) from error
        return self.site.back_to(f"/{supervision.NAME}" if action == "settle" else f"/cases/{number}")

    def officer(self, name: str, roles: tuple[str, ...]) -> Officer:
        """Return who an account is at the desk."""
        return Officer(name, self.offices(name), accounts.SUPERVISOR in roles)

    def _colleague(self, name: str) -> Officer:
        """Return the officer of this name; Refused if nobody of that name works at a desk."""
        roles = self.roles(name)
        if not ROLES.intersection(roles):
            raise Refused(f"{name!r} is no officer; allowed: the name of an officer's account")
        return self.officer(name, roles)

    def _queue(self, call: Call, request: Request) -> Response:
        self.desk.cases.follow_page(self.log)
        officer, asked = self.officer(call.actor, call.roles), request.query_params
        lane = asked.get("lane") if asked.get("lane") in LANES else None
        office = asked.get("office") if asked.get("office") in officer.offices else None
        values = {
            "officer": officer,
            "counts": self.desk.queue.counts(officer),
            "mine": self.desk.queue.page(officer, held_by=officer.name),
            "cases": self.desk.queue.page(officer, office=office, lane=lane, after=_after(asked.get("after", ""))),
            "office": office,
            "lane": lane,
            "lanes": LANES,
            "is_empty": "empty" in asked,
            "now": self.desk.shared.now(),
        }
        return self.site.render("queue.html", call, request, values)

    def _case(
        self, call: Call, request: Request, number: int, refusal: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        officer, say = self.officer(call.actor, call.roles), self.site.words(request)
        opened = self.desk.looking.open(officer, number)
        decision = self.log.decision(opened.case.decision_id) if opened.case.decision_id else None
        is_answering = accounts.AUDITOR in call.roles and opened.hidden_until is None
        traced = self.trace(opened.case) if officer.is_supervisor or is_answering else None
        about = replace(self._about(opened.case, decision), traced=traced)
        is_mine = opened.case.holder == officer.name
        is_told = opened.hidden_until is None and (is_mine or officer.is_supervisor)
        values = {
            "officer": officer,
            "opened": opened,
            "late": [each for each in self.desk.findings.conflicts(officer) if each.finding.case == number],
            "case": opened.case,
            "is_mine": is_mine,
            "told": self.desk.looking.tell(officer, number) if is_told else None,
            "said": partial(sentences.of_item, decision, about.known, say.language),
            "declared": about.declared,
            "columns": forms.SHOWN,
            "currencies": {row["item_number"]: row.get("currency") for row in about.declared},
            "panels": [panel for each in PANELS if (panel := each(about, say))],
            "kinds": record.KINDS,
            "lanes": LANES,
            "key": forms.new_key(),
            "refusal": refusal,
            "now": self.desk.shared.now(),
        }
        return self.site.render("case.html", call, request, values, status)

    def _about(self, case: Case, decision: Decision | None) -> About:
        if decision is None:
            day = case.accepted_at.date()
            declared = self.night.declared(case.declaration_id, day) if self.night else []
            return About(case, self.source, declared, [{} for _ in declared])
        listed = self.log.document(decision.feature_names)
        if listed is None:  # no model was asked, or the window knew of no feature
            return About(case, self.source, decision.declared, [{} for _ in decision.declared])
        names = [name for name, _ in msgspec.json.decode(listed.content)]
        known = [dict(zip(names, values, strict=True)) for values in decision.features]
        return About(case, self.source, decision.declared, known)

    def _refused(self, call: Call, request: Request, refusal: Refused, number: int | None = None) -> Response:
        if number is not None:
            try:
                return self._case(call, request, number, str(refusal), HTTPStatus.CONFLICT)
            except Refused:
                pass  # the case itself is not theirs to see
        return self.site.render("refused.html", call, request, {"refusal": str(refusal)}, HTTPStatus.CONFLICT)


def _after(text: str) -> tuple[datetime, int] | None:
    """Return the place in the queue after which a page begins; None if the text names none."""
    moment, _, number = text.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    is_place = at.tzinfo is not None and number.isascii() and number.isdigit() and len(number) < 19
    return (at, int(number)) if is_place else None
