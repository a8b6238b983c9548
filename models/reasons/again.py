"""A reason's sentence in another language, made again from what the reason was made of.

A reason keeps its group and its sentence, but not which feature of the group the sentence states.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from features.families import Feature
from features.matrix import CATALOGUE
from models.reasons.explain import Reason
from models.reasons.language import read
from models.reasons.sentences import Item, Phrase, phrase


def said_again(reason: Reason, known: Mapping[str, Any], given: str, wanted: str) -> str | None:
    """Return the sentence of a reason in the language `wanted`; None if it cannot be made again for certain.

    `known` has the features of the row by name, and the reason's sentence is in the language `given`. Whichever
    features of the group state that very sentence of the row, in `wanted` they state what it says. It is not certain
    where none does, because the words or the features have changed since, or where they state different things.
    """
    if given == wanted:
        return reason.sentence
    row = Item(known)
    said = {
        read(wanted).render(stated)
        for feature in CATALOGUE
        if feature.group == reason.group and feature.name in known
        for stated in _stated(feature, row)
        if read(given).render(stated) == reason.sentence
    }
    return said.pop() if len(said) == 1 else None


def _stated(feature: Feature, row: Item) -> Iterator[Phrase]:
    """Yield what a feature may have said in a row: of a code, whether or not the model had met it."""
    yield phrase(feature, row)
    if isinstance(value := row.get(feature.name), str):
        yield phrase(feature, row, frozenset({value}))
