"""What officers send from a case's page: a finding, or what is to become of the case.

A finding comes with a key that the page made up, so that it can be sent again until an answer arrives.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

import msgspec
from starlette.requests import Request

from models.access import Refused as Closed
from models.desk import Desk, Finding, Officer, Refused
from models.site import Form

NOTHING = "nothing"
LARGEST_FORM = 64 * 1024
# Of the contract's columns, those that an officer compares with the goods and papers; the rest is a click away.
SHOWN = (
    "hs_code",
    "goods_description",
    "origin_country",
    "departure_country",
    "item_value",
    "currency",
    "net_mass_kg",
    "quantity",
    "tax_rate_pct",
    "container_id",
    "transport_document_id",
)


class Found(msgspec.Struct, frozen=True):
    """Tells what became of a finding: whether it came too late (`conflict`), and why the case was not released."""

    conflict: str
    is_released: bool
    refusal: str


def new_key() -> str:
    """Return a key for a finding that nobody else makes up."""
    return secrets.token_urlsafe(16)


def read(request: Request, body: bytes) -> Form:
    """Return the form that was sent; Closed if it is none."""
    if len(body) > LARGEST_FORM:
        raise Closed(f"the form is larger than {LARGEST_FORM} bytes", 413)
    return Form.read(request.headers.get("content-type", ""), body)


def find(desk: Desk, officer: Officer, number: int, form: Form) -> Found:
    """File a finding, and release the case if that is asked too; the same form again comes to the same.

    With `rest`, nothing was found on the inspected items that no finding is about.
    """
    what, key, found_at = form.text("what"), form.text("key"), _moment(form.fields.get("found_at", ""), desk)
    words, photos = form.fields.get("words", "").strip(), tuple(form.fields.get("photos", "").split())
    if what == NOTHING:
        finding = Finding(key=key, case=number, found_at=found_at, words=words, photos=photos)
    else:
        finding = Finding(
            key=key,
            case=number,
            found_at=found_at,
            item_number=int(_number(form, "item") or 0),
            kind=what,
            words=words,
            is_critical="critical" in form.fields,
            value=_number(form, "value"),
            revenue=_number(form, "revenue"),
            net_mass_kg=_number(form, "mass"),
            photos=photos,
        )
    filed = desk.findings.add(officer, finding)
    if finding.is_infringement and "rest" in form.fields and not filed.conflict:
        desk.findings.add(officer, Finding(key=f"{key}-rest"[-64:], case=number, found_at=found_at))
    if filed.conflict or "release" not in form.fields:
        return Found(filed.conflict, is_released=False, refusal="")
    try:
        desk.endings.release(officer, number)
    except Refused as refusal:
        case = desk.looking.open(officer, number).case
        is_released = case.closed_by == officer.name  # the answer to the same form was lost
        return Found("", is_released, "" if is_released else str(refusal))
    return Found("", is_released=True, refusal="")


def do(desk: Desk, officer: Officer, number: int, action: str, form: Form, colleague: Callable[[str], Officer]) -> None:
    """Do with a case what a form asks; Closed if there is no such action, Refused if it is not allowed."""
    match action:
        case "take":
            desk.queue.take(officer, number)
        case "give-back":
            desk.queue.give_back(officer, number)
        case "hand-over":
            desk.queue.hand_over(officer, number, colleague(form.text("to")))
        case "impression":
            desk.looking.give_impression(officer, number, form.text("impression"))
        case "release":
            desk.endings.release(officer, number)
        case "override":
            desk.endings.override(officer, number, form.text("reason"))
        case "pass":
            desk.endings.pass_on(officer, number, form.text("lane"), form.text("reason"))
        case "confirm":
            desk.endings.confirm(officer, number, form.text("reason"))
        case "decline":
            desk.endings.decline(officer, number, form.text("reason"))
        case "accept":
            desk.findings.accept(officer, form.text("key"), form.text("reason"))
        case "settle":
            desk.findings.settle(officer, number, form.text("reason"))
        case _:
            raise Closed(f"a case has no action {action[:40]!r}", 404)


def _number(form: Form, name: str) -> float | None:
    """Return a number of the form; None if the field is empty or not there."""
    text = form.fields.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise Refused(f"{name} is {text[:40]!r}; allowed: a number, as 1234.5") from None


def _moment(text: str, desk: Desk) -> datetime:
    """Return the instant at which the officer's device kept a finding; now, if the page could not say it."""
    if not text:
        return desk.shared.now()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"found_at is {text[:40]!r}; allowed: an instant in ISO 8601 with its zone") from None
