"""Feature families: each is a pure function from a history to columns, one row a query, and states its as-of rule.

A module of this folder that computes is a family. The other modules are shared: how a feature describes itself
(feature.py, sentences.py), how features that speak of the same thing are grouped (groups.py), and how a number compares
with what is usual (usual.py).
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

import polars as pl

from features.families.feature import Feature
from features.families.sentences import Sentences, Words
from features.families.usual import MIN_HISTORY
from features.history import History

__all__ = ["FAMILIES", "MIN_HISTORY", "Feature", "Sentences", "Words"]


class Family(Protocol):
    """Says what a module of a family holds.

    `TABLES` are kinds of facts, each with the columns that name whom they are about.
    """

    NAME: str
    FEATURES: tuple[Feature, ...]
    TABLES: tuple[tuple[str, tuple[str, ...]], ...]

    def compute(self, history: History) -> pl.DataFrame:
        """Return the columns of `FEATURES`, in their order, one row a query."""
        ...


# The matrix begins with the columns of these families, as it always has; the others follow in order of their names.
_FIRST = ("declared", "calendar", "price", "entities", "encodings", "relations", "routes", "units")


def _found() -> tuple[Family, ...]:
    names = sorted(module.name for module in iter_modules(__path__))
    ordered = (*_FIRST, *(name for name in names if name not in _FIRST))
    modules = [import_module(f"{__name__}.{name}") for name in ordered]
    return tuple(cast(Family, module) for module in modules if hasattr(module, "compute"))


# The matrix's column order.
FAMILIES = _found()
