"""Writes docs/roles.md, which role may do what on which page, by asking the rules: `python -m docs.make_roles`.

Each line of the table is a question to the code that decides it, asked for an account with that role alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from starlette.responses import Response

from models import policy
from models.access import accounts
from models.access.account_changes import judge
from models.access.call import Call, Refused
from models.access.directory import Account, Role
from models.criteria import Condition, Criterion
from models.criteria_page import ROLES as CRITERIA_ROLES
from models.desk_page import ROLES as DESK_ROLES
from models.desk_page import DeskPage
from models.ledger import Book
from models.names import ADMINISTRATOR
from models.policy import Signoff
from models.runs.callers import caller, refuse
from models.runs.routes import Kind, Route
from models.server.pages import Page

PAGE = Path(__file__).with_name("roles.md")
_NOW = datetime(2024, 5, 2, tzinfo=UTC)
_DIGEST = "0" * 64
_YES, _NO = "yes", ""

_INTRO = """\
# Who may do what

Which role may do what on which page, of an account that has this role alone. Roles add up, except that an administrator
signs nothing and has no say in criteria, whatever their other roles. An officer and a supervisor see the cases of their
offices and of no others (`tidewaiter users offices`). What each role is told, and by which way, is on the
[operator's page](operator.md#notifications). This page is written by `python -m docs.make_roles`, which asks
the rules themselves; `make test` holds it.

"""
_MACHINES = """\

Machines have tokens instead (`tidewaiter tokens add`), for the window alone:

| role | is told |
| --- | --- |
"""


@dataclass(frozen=True)
class Right:
    """Something that a role may do on a page; `is_allowed` asks the code that decides it."""

    page: str
    what: str
    is_allowed: Callable[[str], bool]


def page() -> str:
    """Return the whole page, as Markdown."""
    signoff = policy.load().signoff
    roles = [
        *dict.fromkeys(step.role for step in signoff.steps),
        accounts.DATA_SCIENTIST,
        accounts.OFFICER,
        accounts.SUPERVISOR,
        accounts.ANALYST,
        accounts.AUDITOR,
        ADMINISTRATOR,
    ]
    lines = [
        f"| page | may | {' | '.join(f'`{role}`' for role in roles)} |",
        "| --- | --- |" + " --- |" * len(roles),
        *(
            f"| {right.page} | {right.what} | {' | '.join(_YES if right.is_allowed(role) else _NO for role in roles)} |"
            for right in _rights(signoff)
        ),
    ]
    machines = [f"| `{name}` | {told.partition(': ')[2]} |" for name, told in accounts.MACHINES.items()]
    return _INTRO + "\n".join(lines) + "\n" + _MACHINES + "\n".join(machines) + "\n"


def _rights(signoff: Signoff) -> list[Right]:
    """Return the questions, in the order of the pages."""
    signing = [
        Right("sign-off", f"sign or refuse `{step.name}`", lambda role, name=step.name: _signs(signoff, role, name))
        for step in signoff.steps
    ]
    return [
        Right("sign-off", "see what waits, figures, reports, history", lambda role: _sees(role)),
        *signing,
        Right("sign-off", "roll back to the champion before", lambda role: _rolls_back(signoff, role)),
        Right("desk", "take cases, file findings, release", lambda role: _sees(role, DESK_ROLES)),
        Right("desk", "see the supervisor's figures, rule on findings", _supervises),
        Right("criteria", "see criteria and what they found", lambda role: _sees(role, CRITERIA_ROLES)),
        Right("criteria", "propose, confirm, refuse, withdraw", lambda role: _rules(signoff, role)),
        Right("companies", "look at the network", lambda role: _sees(role)),
        Right("Prefect", "see runs", lambda role: _may_run(role, Kind.READ)),
        Right("Prefect", "start, pause and cancel runs", lambda role: _may_run(role, Kind.DECISION)),
        Right("MLflow", "read runs and versions", lambda role: _grant(signoff, role, "experiment") is not None),
        Right("MLflow", "write runs, register versions", lambda role: _grant(signoff, role, "experiment") == "MANAGE"),
        Right("accounts", "make accounts, give roles, offices and tokens", _administers),
    ]


def _call(role: str, **body: object) -> Call:
    numbers = {} if role == ADMINISTRATOR else {role: 1}
    return Call("POST", "any", "somebody", (role,), "", "", body, numbers)


def _sees(role: str, roles: frozenset[str] = frozenset()) -> bool:
    return _passes(Page("any", lambda call, request: Response(), roles=roles).refuse_stranger, _call(role))


def _signs(signoff: Signoff, role: str, step: str) -> bool:
    """Ask the book about a version of somebody else's, of which the steps before are signed."""
    book = Book(signoff)
    book.apply(book.opening(1, _DIGEST, ("author",), _NOW))
    for before in signoff.steps[: [each.name for each in signoff.steps].index(step)]:
        for number in range(before.signatures):
            signer = Call("POST", "any", f"signer {before.name} {number}", (before.role,), "", "", {})
            book.apply(signer.entry("approve", _NOW, version=1, step=before.name, digest=_DIGEST, reason="-"))
    entry = _call(role).entry("approve", _NOW, version=1, step=step, digest=_DIGEST, reason="-", grant="EDIT")
    return book.refusal(entry) is None


def _rolls_back(signoff: Signoff, role: str) -> bool:
    """Ask the book where two versions were champions, one after the other."""
    book = Book(signoff)
    for version in (1, 2):
        book.apply(book.opening(version, _DIGEST, ("author",), _NOW))
        book.cases[version].promoted_at = _NOW
        book.reigns.append(version)
    return book.refusal(_call(role).entry("roll back", _NOW, version=1, digest=_DIGEST, reason="-")) is None


def _supervises(role: str) -> bool:
    found = DeskPage.officer(SimpleNamespace(offices=lambda name: ()), "somebody", (role,))
    return _sees(role, DESK_ROLES) and found.is_supervisor


def _rules(signoff: Signoff, role: str) -> bool:
    asked = Criterion(
        name="any",
        lane="red",
        places=1,
        begins_on=_NOW.date(),
        ends_on=_NOW.date(),
        conditions=(Condition(column="importer_id", operator="in", values=("any",)),),
    )
    about = {"step": "propose", "digest": asked.digest, "reason": "-", "criterion": asked, "valid_days": 1}
    return Book(signoff).refusal(_call(role).entry("criterion", _NOW, **about)) is None


def _may_run(role: str, kind: Kind) -> bool:
    roles = () if role == ADMINISTRATOR else (Role(1, role),)
    who = caller(Account("somebody", roles, role == ADMINISTRATOR))
    return _passes(refuse, who, "somebody", Route(kind, "any"))


def _grant(signoff: Signoff, role: str, kind: str) -> str | None:
    # MLflow's administrators pass all its grants.
    every: Mapping[str, Mapping[str, str]] = accounts.grants(signoff)
    return "MANAGE" if role == ADMINISTRATOR else every[role].get(kind)


def _administers(role: str) -> bool:
    given = {"username": "new", "password": "long enough"}
    call = Call("POST", "mlflow/users/create", "somebody", (role,), "", "", given)
    return _passes(judge, call, {}, ())


def _passes(rule: Callable[..., object], *given: object) -> bool:
    try:
        rule(*given)
    except Refused:
        return False
    return True


if __name__ == "__main__":
    PAGE.write_text(page())
