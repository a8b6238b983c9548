"""Feature columns to the matrix of numbers that LightGBM reads, the same way in training and ever after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.catalogue import Feature

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """Names of the features in the matrix's order, and the categories of each categorical one, sorted.

    A category is its place in that list; one that training has not seen is missing, as null is.
    """

    names: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]

    @classmethod
    def fit(cls, frame: pl.DataFrame, features: Sequence[Feature]) -> "Encoder":
        """The encoding of `features` with the categories that `frame` holds."""
        categorical = [f.name for f in features if f.kind == "categorical"]
        encoder = cls(tuple(f.name for f in features), dict.fromkeys(categorical, ()))
        encoder.check(frame)
        categories = {name: tuple(frame[name].drop_nulls().unique().sort().to_list()) for name in categorical}
        return cls(encoder.names, categories)

    @property
    def categorical(self) -> list[int]:
        """Places of the categorical features."""
        return [place for place, name in enumerate(self.names) if name in self.categories]

    def check(self, frame: pl.DataFrame) -> None:
        """Raise ValueError unless `frame` has every feature, numeric or text as it should be."""
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise ValueError(
                f"feature column {missing[0]!r} is not in the frame ({len(missing)} of {len(self.names)} missing)"
            )
        schema = frame.schema
        for name in self.names:
            is_text, dtype = name in self.categories, schema[name]
            if dtype != pl.Null and is_text != (dtype == pl.String):
                allowed = "String, as it is categorical" if is_text else "a numeric type"
                raise ValueError(f"feature column {name!r} is {dtype}; allowed: {allowed}")

    def encode(self, frame: pl.DataFrame) -> Matrix:
        """Rows x features; NaN where unknown.

        >>> encoder = Encoder(("office", "item_value"), {"office": ("A", "B")})
        >>> encoder.encode(pl.DataFrame({"item_value": [1.5, None, 2.0], "office": ["B", "A", "never seen"]})).tolist()
        [[1.0, 1.5], [0.0, nan], [nan, 2.0]]
        >>> encoder.encode(pl.DataFrame({"office": ["A"]}))
        Traceback (most recent call last):
        ...
        ValueError: feature column 'item_value' is not in the frame (1 of 2 missing)
        """
        self.check(frame)
        columns = []
        for name in self.names:
            column = pl.col(name)
            if name in self.categories:
                column = column.cast(pl.String).cast(pl.Enum(self.categories[name]), strict=False).to_physical()
            columns.append(column.cast(pl.Float32).fill_null(np.nan))
        return frame.select(columns).to_numpy(order="c")

    def as_json(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return {
            "names": list(self.names),
            "categories": {name: list(values) for name, values in self.categories.items()},
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Encoder":
        """The inverse of `as_json`."""
        return cls(tuple(values["names"]), {name: tuple(known) for name, known in values["categories"].items()})
