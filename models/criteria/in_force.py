"""The criteria that hold on a day, in the order in which they are asked: the set that a decision stores by its digest.

Not here: how they came to hold (register.py).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from pydantic import TypeAdapter

from models.criteria.criterion import Criterion

_SET = TypeAdapter(tuple[Criterion, ...])


@dataclass(frozen=True)
class InForce:
    """Criteria in order of their rank: those for red first, then by name."""

    criteria: tuple[Criterion, ...] = ()

    @classmethod
    def of(cls, criteria: Iterable[Criterion]) -> "InForce":
        """Return them in order, however they come."""
        return cls(tuple(sorted(criteria, key=lambda each: each.rank)))

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of the set as JSON; empty if no criterion holds."""
        return hashlib.sha256(self.as_json()).hexdigest() if self.criteria else ""

    def as_json(self) -> bytes:
        """Return the set as JSON; the same set always gives the same bytes."""
        return _SET.dump_json(self.criteria)

    @classmethod
    def from_json(cls, text: bytes) -> "InForce":
        """Return the set that `as_json` wrote; pydantic's ValidationError if it is none."""
        return cls(_SET.validate_json(text))

    def matching(self, rows: pl.DataFrame) -> list[tuple[Criterion, ...]]:
        """Return which criteria each row of the contract meets, in order."""
        if not self.criteria:
            return [()] * rows.height
        columns = sorted({column for each in self.criteria for column in each.columns})
        return [
            tuple(each for each in self.criteria if each.matches(row))
            for row in rows.select(columns).iter_rows(named=True)
        ]
