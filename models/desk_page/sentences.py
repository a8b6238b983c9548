"""The reasons on a case's page, in the language of its reader.

They were given in the language in which the declaration's system asked, and stay so in the log. Here they are made
again from the features that the decision keeps, where that gives the same sentence to the letter.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from models.decisions import Decision
from models.desk import record
from models.reasons import said_again


class Sentence(msgspec.Struct, frozen=True):
    """A reason in words, and the language that they are in; empty if nobody knows."""

    text: str
    language: str


def of_item(
    decision: Decision | None, known: Sequence[Mapping[str, Any]], language: str, told: record.Told
) -> list[Sentence]:
    """Return the reasons of an item in a language, or as they were given where they cannot be made again.

    `known` has the features of each of the decision's items.
    """
    if decision is None:
        return [Sentence(text, "") for text in told.reasons]
    given = {
        reason.sentence: said_again(reason, features, decision.language, language)
        for item, features in zip(decision.items, known, strict=True)
        for reason in item.reasons
        if item.item_number == told.item_number
    }
    return [
        Sentence(again, language) if (again := given.get(text)) else Sentence(text, decision.language)
        for text in told.reasons
    ]
