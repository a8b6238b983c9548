"""From feature columns to the matrix of numbers that LightGBM reads, in the same way in training and ever after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
import polars.selectors as cs
import pyarrow as pa
from numpy.typing import NDArray

from features.families import Feature
from features.history import PRIOR_WEIGHT
from features.matrix import CATALOGUE

Matrix = NDArray[np.float32]
Codes = Literal["categories", "numbers", "none"]


@dataclass(frozen=True)
class Encoder:
    """Names of the features in the matrix's order, and the categories of each categorical one, sorted.

    A category is encoded as its place in that list. A category that training has not seen counts as missing, as null
    does.

    Target encodings are the rates that name the feature that counts their inspections. They come smoothed, as if
    `PRIOR_WEIGHT` more inspections had been made at everyone's rate of the day. `smoothing` is how many such
    inspections the model sees: if more, the additional ones are taken to have hit at `base_rate`; if fewer, some are
    taken away again.

    `codes` says how the trees see categorical features: as categories, which LightGBM splits into any two groups; as
    numbers, which it splits at a place in the sorted list; or not at all, and then their target encodings stand for
    them.
    """

    names: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    smoothing: float = float(PRIOR_WEIGHT)
    base_rate: float = 0.0
    codes: Codes = "categories"

    @classmethod
    def fit(cls, frame: pl.DataFrame, features: Sequence[Feature]) -> "Encoder":
        """Return the encoding of `features` with the categories and the base rate of `frame`, labelled rows."""
        categorical = [f.name for f in features if f.kind == "categorical"]
        encoder = cls(tuple(f.name for f in features), dict.fromkeys(categorical, ()))
        encoder.check(frame)
        categories = {name: tuple(frame[name].drop_nulls().unique().sort().to_list()) for name in categorical}
        return replace(encoder, categories=categories, base_rate=float(frame["is_illicit"].to_numpy().mean()))

    def giving(self, smoothing: float, codes: Codes) -> "Encoder":
        """Return the same encoder with another smoothing of target encodings, and another way to give codes."""
        return replace(self, smoothing=smoothing, codes=codes)

    @property
    def categorical(self) -> list[int]:
        """Return the places of the features that LightGBM is to take for categories."""
        if self.codes != "categories":
            return []
        return [place for place, name in enumerate(self.names) if name in self.categories]

    @cached_property
    def known_codes(self) -> dict[str, frozenset[str]]:
        """Return the categories of each categorical feature, to look codes up in."""
        return {name: frozenset(known) for name, known in self.categories.items()}

    def check(self, frame: pl.DataFrame) -> None:
        """Raise ValueError unless `frame` has every feature, numeric or text as it should be."""
        schema = frame.schema
        missing = [name for name in self.names if name not in schema]
        if missing:
            raise ValueError(
                f"feature column {missing[0]!r} is not in the frame ({len(missing)} of {len(self.names)} missing)"
            )
        for name in self.names:
            is_text, dtype = name in self.categories, schema[name]
            if dtype != pl.Null and is_text != (dtype == pl.String):
                allowed = "String, as it is categorical" if is_text else "a numeric type"
                raise ValueError(f"feature column {name!r} is {dtype}; allowed: {allowed}")

    def encode(self, frame: pl.DataFrame) -> Matrix:
        """Return rows x features; NaN where unknown.

        >>> encoder = Encoder(("office", "item_value"), {"office": ("A", "B")})
        >>> encoder.encode(pl.DataFrame({"item_value": [1.5, None, 2.0], "office": ["B", "A", "never seen"]})).tolist()
        [[1.0, 1.5], [0.0, nan], [nan, 2.0]]
        >>> encoder.encode(pl.DataFrame({"office": ["A"]}))
        Traceback (most recent call last):
        ...
        ValueError: feature column 'item_value' is not in the frame (1 of 2 missing)
        """
        # Column by column, because that is how Polars holds the values and how the trees read them.
        return self._encoded(frame).to_numpy(order="fortran")

    def table(self, frame: pl.DataFrame) -> pa.Table:
        """Return the same numbers to learn from.

        As far as possible they are the frame's own, so that many rows are not held twice.
        """
        return self._encoded(frame).to_arrow()

    def _encoded(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.check(frame)
        # Features come in single precision. For a single row it takes longer to say what is to be done with a column
        # than to do it, so only columns that change are named.
        numbers = frame[list(self.names)].with_columns(self._numbers)
        return numbers.with_columns(self._smoothed_rates) if self._smoothed_rates else numbers

    @cached_property
    def _numbers(self) -> list[pl.Expr]:
        """Return the expressions of the columns that are not numbers of single precision yet."""
        codes = [
            pl.lit(None, pl.Float32).alias(name)
            if self.codes == "none"
            else pl.col(name).cast(pl.String).cast(pl.Enum(known), strict=False).to_physical().cast(pl.Float32)
            for name, known in self.categories.items()
        ]
        return [*codes, (~cs.by_dtype(pl.Float32) - cs.by_name(*self.categories)).cast(pl.Float32)]

    @cached_property
    def _smoothed_rates(self) -> list[pl.Expr]:
        """Return the rates of target encodings at this smoothing."""
        more = self.smoothing - PRIOR_WEIGHT
        pairs = [(each.name, each.inspections) for each in CATALOGUE if each.inspections] if more else []
        found = []
        for rate, inspections in pairs:
            if rate in self.names and inspections in self.names:
                before = pl.col(inspections) + PRIOR_WEIGHT
                moved = (pl.col(rate) * before + more * self.base_rate) / (before + more)
                found.append(moved.clip(0, 1).alias(rate))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return plain values for model.json."""
        return {
            "names": list(self.names),
            "categories": {name: list(values) for name, values in self.categories.items()},
            "smoothing": self.smoothing,
            "base_rate": self.base_rate,
            # A model that is older than this says nothing here, and keeps its digest.
            **({} if self.codes == "categories" else {"codes": self.codes}),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Encoder":
        """Return the encoder that `as_json` described; ValueError if it gives codes in a way that is not known."""
        categories = {name: tuple(known) for name, known in values["categories"].items()}
        codes = values.get("codes", "categories")
        if codes not in get_args(Codes):
            raise ValueError(f"codes is {codes!r}; allowed: {', '.join(get_args(Codes))}")
        return cls(tuple(values["names"]), categories, values["smoothing"], values["base_rate"], codes)
