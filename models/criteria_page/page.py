"""What the guard asks of the page: the list of criteria, the form of a new one with its preview, and the steps.

A step is the same request to the same rules as the command's; what they refuse is told here in their sentence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from features.store import StoreError
from models.access import Call, Refused, accounts
from models.criteria import Criterion, Register, criterion, figures
from models.names import ADMINISTRATOR
from models.policy import LANES
from models.site import Form, Site

PREFIX = "criteria"
ROLES = frozenset({accounts.ANALYST, accounts.AUDITOR, accounts.SUPERVISOR, ADMINISTRATOR})
WEEKS = 8
_CONDITIONS = 6  # rows of the form
_USUAL_DAYS = 14


@dataclass(frozen=True)
class CriteriaPage:
    """The page.

    `register` is what the ledger says of criteria now, and `longest_days` how long the policy lets one live. `preview`
    tries one on so many weeks, and `beside` tells what each has found; ValueError where nothing is stored to try it on.
    `take` takes a step, as the request of the command does; Refused if it is not allowed.
    """

    register: Callable[[], Register]
    longest_days: Callable[[], int]
    preview: Callable[[Criterion, int], figures.Preview]
    beside: Callable[[Register], list[figures.Beside]]
    take: Callable[[Call], object]
    now: Callable[[], datetime]
    is_played: bool = False

    @cached_property
    def site(self) -> Site:
        return Site(PREFIX, Path(__file__).parent, self.is_played)

    def answer(self, call: Call, request: Request) -> Response:
        """Return the page, or a file of it; Refused if there is no such file."""
        if call.name == PREFIX:
            return self._page(call, request)
        return self.site.file(call.name.removeprefix(f"{PREFIX}/"))

    def act(self, call: Call, request: Request, body: bytes) -> Response:
        """Try a criterion on past weeks, propose it, or take a step about one, and lead back to the list."""
        form = Form.read(request.headers.get("content-type", ""), body)
        told = replace(call, name="tidewaiter/criteria")
        try:
            if call.name == f"{PREFIX}/new":
                written = _written(form)
                if form.choice("do", ("preview", "propose")) == "preview":
                    return self._page(call, request, form, preview=self._previewed(written))
                body_of: dict[str, object] = {"step": "propose", "reason": form.text("reason"), "criterion": written}
            elif call.name == f"{PREFIX}/step":
                body_of = {name: form.text(name) for name in ("step", "reason", "name")}
            else:
                raise Refused(f"nothing is sent to /{call.name}", HTTPStatus.NOT_FOUND)
            self.take(told.with_body(**body_of))
        except Refused as refusal:
            return self._page(call, request, form, str(refusal), refusal.status)
        except (ValueError, StoreError) as error:
            return self._page(call, request, form, str(error), HTTPStatus.BAD_REQUEST)
        return self.site.back_to("")

    def _previewed(self, written: Mapping[str, object]) -> figures.Preview:
        return self.preview(criterion.read(written), WEEKS)

    def _page(
        self,
        call: Call,
        request: Request,
        form: Form = Form({}),  # noqa: B008  it cannot be changed
        refusal: str = "",
        status: int = HTTPStatus.OK,
        preview: figures.Preview | None = None,
    ) -> Response:
        register, today = self.register(), self.now().date()
        found, unknown = {}, ""
        try:
            if list(register):
                found = {each.name: each for each in self.beside(register)}
        except (ValueError, StoreError) as error:
            unknown = str(error)
        standing = [(each, each.words(today), found.get(each.criterion.name)) for each in register]
        values = {
            "open": [each for each in standing if each[1] in ("proposed", "in force", "confirmed")],
            "ended": [each for each in reversed(standing) if each[1] not in ("proposed", "in force", "confirmed")],
            "unknown": unknown,
            "is_analyst": accounts.ANALYST in call.roles,
            "columns": criterion.COLUMNS,
            "lanes": LANES,
            "rows": range(1, _CONDITIONS + 1),
            "given": form.fields,
            "today": today,
            "usual_end": today + timedelta(days=min(_USUAL_DAYS, self.longest_days())),
            "latest": today + timedelta(days=self.longest_days()),
            "refusal": refusal,
            "preview": preview,
            "weeks": WEEKS,
        }
        return self.site.render("criteria.html", call, request, values, status)


def _written(form: Form) -> dict[str, object]:
    """Return what a form says of a criterion, as models.criteria.criterion reads it; ValueError where it cannot."""
    conditions = []
    for row in range(1, _CONDITIONS + 1):
        column = form.fields.get(f"column_{row}", "")
        if not column:
            continue
        operator, values = form.text(f"operator_{row}"), form.text(f"values_{row}")
        listed: list[str | float] = [part.strip() for part in values.replace("\n", ";").split(";") if part.strip()]
        if operator in ("at least", "below"):
            listed = [_number(column, str(each)) for each in listed]
        conditions.append({"column": column, "operator": operator, "values": listed})
    places = form.text("places")
    return {
        "name": form.text("name"),
        "lane": form.text("lane"),
        "places": int(places) if places.isascii() and places.isdigit() else places,
        "begins_on": _day(form, "begins_on"),
        "ends_on": _day(form, "ends_on"),
        "conditions": conditions,
    }


def _number(column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{column} is compared with {text[:40]!r}; allowed: a number, as 12.5") from None


def _day(form: Form, name: str) -> str:
    text = form.text(name)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}; allowed: a day, as 2024-05-31") from None
