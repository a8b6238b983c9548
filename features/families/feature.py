"""What a feature is, and how it describes itself to whoever trains on it, explains it, watches it or replays it.

This module also turns numbers into columns of features.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from features.families.sentences import Sentences

_FEW = 16  # with fewer rows, making a column for each row and transposing costs less than one for each feature


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    `kind`: numeric columns are Float32 with null for unknown, categorical ones String. `as_of` says in words what the
    value may rest on.

    `entity` holds the columns of the contract that name whom or what the feature speaks of. `measure` says what is
    measured, and `window_days` over how many days before, 0 where there is no window. These three together tell a
    feature from every other. `group`: features of one group say the same thing to an officer. `sentences` are those
    that state the feature, or the name of those in models/reasons/sentences.py that state it together with others of
    the row. `rests_on_outcomes` says whether another result of an inspection could change it. `drift` is the scale on
    which it is compared with the training data, or "categories" if it is compared by them; None where nobody watches
    it. `inspections` names the feature that counts the inspections behind a smoothed rate, where a model may choose the
    smoothing.

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
    """Return the columns of `features`; NaN becomes null.

    Each of `parts` holds several columns, features x queries of 32 bits; together they are in the order of `features`.
    """
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
