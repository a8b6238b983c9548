"""What is told of a decision, to whom, and in which form: JSON, or notifications in XML of the same content.

Customs' own system is told everything. What a trader's system is told depends on the lane alone: the same, to the byte,
whatever holds the goods.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from features.messages import Refusal, answers
from features.messages.answers import Notification, Statement, Status
from models.access.accounts import SYSTEM
from models.decisions import Decision

JSON = "application/json"
FORMS = (JSON, "application/xml", "text/xml")
PRESENT = {"red": "goods and documents", "yellow": "documents"}  # blue is looked at after the goods have left
FUNCTIONS = {"red": "held", "yellow": "documents"}
STATUSES = {"red": "RED", "yellow": "YEL", "blue": "BLU", "green": "GRN"}
HELD, RELEASED = "HLD", "REL"
OF_DECISION = ("unscored", "morning", "model_version", "model_digest", "policy_digest")
# What is said of an item, by the code that XML has room for.
OF_ITEM = {
    "reason": "reason",
    "criterion": "criterion",
    "probability": "selection_probability",
    "score": "score",
    "expected_revenue": "expected_revenue",
}


def form(accept: Sequence[str]) -> str | None:
    """Return the one of FORMS that `Accept` headers like best, JSON if they like several as much; None for none.

    >>> form(["text/html, application/xml;q=0.9, */*;q=0.8"]), form([]), form(["text/html"])
    ('application/xml', 'application/json', None)
    """
    liked = ",".join(accept)
    if not liked:
        return JSON
    offered = {f"{name}{charset}": name for charset in ("", "; charset=utf-8") for name in FORMS}
    found = parse_accept_header(liked, MIMEAccept).best_match(offered)
    return offered[found] if found else None


@dataclass(frozen=True)
class Answer:
    """Holds the answer to a message with this digest: what was decided, and what was refused."""

    decisions: Sequence[Decision]
    refused: Sequence[Refusal]
    message: str
    received_at: datetime

    def written(self, form: str, role: str) -> bytes:
        """Return the answer in one of FORMS, as far as `role` may know it."""
        is_full = role == SYSTEM
        if form == JSON:
            told = in_full if is_full else in_brief
            refused = [asdict(each) for each in self.refused]
            return msgspec.json.encode({"decisions": [told(each) for each in self.decisions], "refused": refused})
        decided = [_notified(each, is_full=is_full) for each in self.decisions]
        return answers.written([*decided, *self._refusals()])

    def _refusals(self) -> Iterator[Notification]:
        """Say of each declaration what is wrong with it; a reference that XML has no room for is in the text alone."""
        for place, name in enumerate(dict.fromkeys(each.declaration for each in self.refused), 1):
            reference = name if name and len(name) <= answers.LONGEST_REFERENCE else None
            yield Notification(
                reference,
                "refused",
                f"{self.message[:28]}-{place}",
                self.received_at,
                refusals=tuple(each for each in self.refused if each.declaration == name),
            )


def in_full(decision: Decision) -> dict[str, Any]:
    """Return what customs' own system is told of a decision."""
    return {
        "declaration_id": decision.declaration_id,
        "version": decision.version,
        "decision_id": decision.decision_id,
        "lane": decision.lane,
        "items": [
            {
                "item_number": item.item_number,
                "lane": item.lane,
                "reason": item.reason,
                "criterion": item.criterion or None,
                "selection_probability": item.probability,
                "score": item.score,
                "expected_revenue": item.expected_revenue,
                "reasons": [msgspec.structs.asdict(reason) for reason in item.reasons],
            }
            for item in decision.items
        ],
        "unscored": decision.unscored or None,
        "morning": decision.morning or None,
        "model_version": decision.model_version or None,
        "model_digest": decision.model_digest or None,
        "policy_digest": decision.policy_digest,
    }


def in_brief(decision: Decision) -> dict[str, Any]:
    """Return what a trader's system is told of a decision: the same for whatever reason goods are held."""
    present = PRESENT.get(decision.lane)
    return {
        "declaration_id": decision.declaration_id,
        "version": decision.version,
        "decision_id": decision.decision_id,
        "answer": "held" if present else "released",
        "present": present or "",
    }


def _notified(decision: Decision, *, is_full: bool) -> Notification:
    """Return the notification of what `in_full` or `in_brief` tells."""
    if is_full:
        told = in_full(decision)
        items = told["items"]
        statuses = [Status(STATUSES[decision.lane])]
        statuses += [Status(STATUSES[item["lane"]], item["item_number"]) for item in items]
        statements = [Statement(name, told[name]) for name in OF_DECISION if told[name] is not None]
        statements += [statement for item in items for statement in _of_item(item)]
    else:
        present = in_brief(decision)["present"]
        statuses = [Status(HELD if present else RELEASED)]
        statements = [Statement("present", present)] if present else []
    return Notification(
        decision.declaration_id,
        FUNCTIONS.get(decision.lane, "released"),
        decision.decision_id,
        decision.received_at,
        decision.version,
        tuple(statuses),
        tuple(statements),
    )


def _of_item(item: dict[str, Any]) -> Iterator[Statement]:
    """Say what stands behind an item's place; numbers as Python writes them, which are read as the same double."""
    number: int = item["item_number"]
    for code, name in OF_ITEM.items():
        if item[name] is not None:
            yield Statement(code, str(item[name]), number)
    for place, reason in enumerate(item["reasons"], 1):
        yield from (Statement(f"why{place}_{name}", str(value), number) for name, value in reason.items())
