"""What a feature is, how it describes itself to whoever trains on it, explains it, watches it or replays it.

And how numbers become columns of features.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from features.families.sentences import Sentences

_FEW = 16  # rows: a column each costs less than a column for each feature


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    `kind`: numeric columns are Float32 with null for unknown, categorical ones String. `as_of` says in words what the
    value may rest on.

    `entity`: the columns of the contract that name whom or what it speaks of. `measure` says what is measured, and
    `window_days` over how many days before, 0 where there is no window; with the entity they tell a feature from every
    other. `group`: features of one group say the same thing to an officer. `sentences`: those that state it, or the
    name of those in models/reasons/sentences.py that state it beside others of the row.
    `rests_on_outcomes`: whether another result of an inspection could change it. `drift`: on what scale it is compared
    with what a model was trained on, or by its categories; None where nobody watches it. `inspections`: of a smoothed
    rate whose smoothing a model may choose, the feature that counts the inspections behind it.

    ValueError where it has no entity.
    """

    name: str
    family: str
    kind: Literal["numeric", "categorical"]
    meaning: str
    as_of: str
    entity: tuple[str, ...]
    measure: str
    group: str
    sentences: Sentences | str
    window_days: int = 0
    rests_on_outcomes: bool = False
    drift: Literal["linear", "log", "categories"] | None = None
    inspections: str | None = None

    def __post_init__(self) -> None:
        if not self.entity:
            raise ValueError(f"feature {self.name!r} has no entity; allowed: at least one column of the contract")


def frame(features: Sequence[Feature], parts: Iterable[np.ndarray]) -> pl.DataFrame:
    """Columns of `features` from parts of several each, features x queries of 32 bits, in their order; NaN is null."""
    parts, names = list(parts), [each.name for each in features]
    rows = len(parts[0][0])
    if 0 < rows < _FEW:
        values = np.ascontiguousarray(np.concatenate(parts).T)
        by_row = pl.DataFrame([pl.Series(str(row), each, nan_to_null=True) for row, each in enumerate(values)])
        return by_row.transpose(column_names=names)
    columns = (values for part in parts for values in part)
    return pl.DataFrame(
        {name: pl.Series(values, nan_to_null=True) for name, values in zip(names, columns, strict=True)}
    )
