"""Limits on the work that the schema of a run's form may cause. Prefect checks values by it before a run starts.

A page sends the schema along, so anybody could send any, and Prefect walks it on the loop that also starts the nights.
So its cost is bounded here before it is passed on. The flows decide which values a run takes.
"""

from typing import Any

from models.access import Refused

MOST_PARTS = 3_000  # parts of a schema, its references resolved; the largest form has some 200
MOST_VALUES = 500
_DEEPEST = 60
# These search by patterns, refer to other places, or are evaluated again by each part outside.
_CLOSED = frozenset(
    {
        "pattern",
        "patternProperties",
        "$dynamicRef",
        "$recursiveRef",
        "$anchor",
        "$dynamicAnchor",
        "$id",
        "unevaluatedProperties",
        "unevaluatedItems",
    }
)


def refuse_costly(asked: dict[str, Any]) -> None:
    """Raise Refused if a schema and its values would keep the server busy, or have it ask another.

    >>> refuse_costly({"schema": {"properties": {"rows": {"type": "integer", "minimum": 1000}}}, "values": {"rows": 1}})
    """
    schema = asked.get("schema")
    if not isinstance(schema, dict):
        raise Refused("schema: allowed is an object", 400)
    if _Parts(schema).of(schema) > MOST_PARTS:
        raise Refused(f"the form's schema has more than {MOST_PARTS} parts")
    if _Parts({}).of(asked.get("values")) > MOST_VALUES:
        raise Refused(f"a form has up to {MOST_VALUES} values")


class _Parts:
    """A count of the parts of a schema, in which each reference counts as what it refers to."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = whole
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def of(self, part: object, depth: int = 0) -> int:
        if depth > _DEEPEST:
            raise Refused(f"a form is not nested deeper than {_DEEPEST}")
        if isinstance(part, list):
            return 1 + sum(self.of(each, depth + 1) for each in part)
        if not isinstance(part, dict):
            return 1
        if self._whole and _CLOSED & part.keys():
            raise Refused("a form's schema has no patterns, and refers to nothing outside it")
        count = 1 + sum(self.of(each, depth + 1) for each in part.values())
        return count + (self._behind(part["$ref"], depth) if self._whole and "$ref" in part else 0)

    def _behind(self, reference: object, depth: int) -> int:
        target: object = self._whole
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise Refused("a form's schema has no patterns, and refers to nothing outside it")
        if reference in self._known:
            return self._known[reference]
        if reference in self._open:
            raise Refused(f"the form's schema goes round in circles at {reference[:100]}")
        for name in reference[2:].split("/"):
            target = target.get(name) if isinstance(target, dict) else None
        self._open.add(reference)
        self._known[reference] = self.of(target, depth + 1)
        self._open.discard(reference)
        return self._known[reference]
