"""Criteria for tests, and the steps that people take about them."""

from datetime import date, datetime
from typing import Any

from models.criteria import Condition, Criterion, InForce
from models.ledger.chain import Entry
from tests.support.signing import entry

FIRST, LAST = date(2024, 3, 6), date(2024, 3, 20)  # tests/support/signing.py begins on 2024-03-05


def condition(column: str = "importer_id", operator: Any = "in", *values: str | float) -> Condition:
    return Condition(column=column, operator=operator, values=values or ("FR1", "FR2"))


def criterion(name: str = "watched", *conditions: Condition, **changed: Any) -> Criterion:
    usual = {"lane": "red", "places": 2, "begins_on": FIRST, "ends_on": LAST}
    return Criterion(name=name, conditions=conditions or (condition(),), **usual | changed)


def in_force(*criteria: Criterion) -> InForce:
    return InForce.of(criteria)


def step(what: str, actor: str, about: Criterion, day: float = 0.0, **parts: Any) -> Entry:
    """Return an attempt of somebody at a step, with a reason."""
    own = {"criterion": about, "valid_days": 90} if what == "propose" else {}
    return entry("criterion", actor, None, what, day, **{"digest": about.digest} | own | parts)


def confirmed(about: Criterion, on: datetime | None = None) -> list[Entry]:
    """Return the entries that put a criterion in force, at a moment or when the tests of sign-off begin."""
    entries = [step("propose", "pia", about), step("confirm", "pol", about)]
    return [each.model_copy(update={"at": on or each.at}) for each in entries]
