"""What detection is estimated to be, and what follows for the rows that a model is judged by.

A label says what an inspection found. Of what is illicit it finds the share `detects`, which nobody sees. Second looks
show it: among the items in which the second look found an infringement, it is the share in which the first look had
found one too. This is the two-sample method of Lincoln and Petersen. It holds where

- second looks are drawn by chance and with one chance for every case, as the desk does (models/desk/endings.py);
- neither look knows of the other, and neither is likelier to find what the other found. What is hard to find is hard
  for both, so in truth detection is lower than estimated, and more is illicit: estimates of it lean downwards;
- nobody finds what is not there. Where a supervisor has ruled that the first look counts, which found nothing, the
  second is taken to have been wrong.

Not here: how a share gets its interval (shares.py).
"""

import math
from collections.abc import Iterator
from datetime import date
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from models.detection import looks, shares
from models.document import Document
from models.metrics import Estimate
from models.policy import LANES

MIN_FOUND = 30  # items in which second looks found an infringement; with fewer, an interval says hardly anything
NO_LOOKS = "no item was looked at twice"

Dimension = Literal["all", "lane", "office", "kind"]


class Part(Document):
    """The items of a lane, an office or a kind of infringement, or all.

    Of items `looked_at_twice`, the second look found an infringement in `found_again`; in `found_before` of these, the
    first look had found one. `detects` is the share. `rows` are those that the model is judged by, with its mean
    `score`, which says what would be found; `found` is the share of them in which something was found, and `illicit`
    the share of them that is. What was found in those rows is not told by kind, so of a kind there are none.
    """

    dimension: Dimension
    value: str
    looked_at_twice: int
    found_again: int
    found_before: int
    detects: Estimate
    rows: int
    score: float | None
    found: Estimate
    illicit: Estimate

    @model_validator(mode="after")
    def _follow_from_one_another(self) -> Self:
        """Refuse figures that other figures do not give; libraries may differ in the last digits."""
        if not self.found_before <= self.found_again <= self.looked_at_twice:
            raise ValueError(
                f"found_before is {self.found_before}, found_again {self.found_again} and looked_at_twice "
                f"{self.looked_at_twice}; allowed: each at most the next"
            )
        share = self.found_before / self.found_again if self.found_again >= MIN_FOUND else None
        if not _is_close(self.detects.value, share):
            raise ValueError(f"detects is {self.detects.value}; allowed: found_before over found_again, {share}")
        illicit = _illicit(self.found, self.detects)
        for estimate, given in ((self.found, self.found), (self.detects, self.detects), (self.illicit, illicit)):
            is_known = given.value is not None
            ends = zip((estimate.value, estimate.low, estimate.high), (given.value, given.low, given.high), strict=True)
            if estimate.reason != given.reason or not all(
                (one is not None) == is_known and _is_close(one, other) for one, other in ends
            ):
                raise ValueError(f"{estimate!r} does not follow; allowed: {given!r}, all of it known or none")
        return self


class Detection(Document):
    """What is estimated from second looks that were known before a day, with intervals at `confidence`.

    The first of the parts is that of all items; without second looks it is the only one.
    """

    before: date
    confidence: float
    parts: tuple[Part, ...] = Field(min_length=1)

    @property
    def all(self) -> Part:
        return self.parts[0]

    def illicit_at(self, score: float) -> Estimate:
        """Return the share that is illicit of items with such a score, as far as detection is known."""
        return _illicit(Estimate(value=score), self.all.detects)


def measure(rows: pl.DataFrame, judged: pl.DataFrame, before: date, confidence: float) -> Detection:
    """Return detection by second looks (looks.SCHEMA) known before a day, and what is illicit of judged rows.

    `judged` has the key of each row, its `office`, its `lane` (null where it is not known), `score` and `is_illicit`.
    """
    twice = _told(looks.known(rows, before))
    return Detection(
        before=before,
        confidence=confidence,
        parts=tuple(_part(*each, confidence) for each in _parts(twice, judged)),
    )


def required(rows: pl.DataFrame, before: date) -> float:
    """Return the detection by second looks known before a day; ValueError where it is not estimated."""
    found = _detects(_told(looks.known(rows, before)), 0.95)
    if not found.value:
        why = found.reason or "first looks had found nothing of what second looks found"
        raise ValueError(
            f"detection is not estimated before {before}: {why}; allowed: training.missed_detection_loss = false in "
            f"the policy, or at least {MIN_FOUND} infringements found by second looks until then"
        )
    return found.value


def _told(twice: pl.DataFrame) -> pl.DataFrame:
    """Add whether each look found an infringement, and in which kinds the second one did."""
    was_wrong = (pl.col("first_kinds") == "") & (pl.col("counts") == 1).fill_null(value=False)
    return twice.with_columns(
        first=pl.col("first_kinds") != "",
        second=(pl.col("second_kinds") != "") & ~was_wrong,
        kinds=pl.col("second_kinds").str.split(" "),
    )


def _parts(twice: pl.DataFrame, judged: pl.DataFrame) -> Iterator[tuple[Dimension, str, pl.DataFrame, pl.DataFrame]]:
    yield "all", "", twice, judged
    if twice.is_empty():
        return
    for lane in LANES:
        of_lane = pl.col("lane") == lane
        yield "lane", lane, twice.filter(of_lane), judged.filter(of_lane)
    for office in sorted({*twice["office"], *judged["office"].drop_nulls()}):
        of_office = pl.col("office") == office
        yield "office", office, twice.filter(of_office), judged.filter(of_office)
    found = twice.filter("second")
    for kind in sorted(set(found["kinds"].explode())):
        yield "kind", kind, found.filter(pl.col("kinds").list.contains(kind)), judged.clear()


def _part(dimension: Dimension, value: str, twice: pl.DataFrame, judged: pl.DataFrame, confidence: float) -> Part:
    again, detects, found = twice.filter("second"), _detects(twice, confidence), _found(judged, confidence)
    if dimension == "kind":
        found = Estimate(value=None, reason="results do not tell the kind")
    return Part(
        dimension=dimension,
        value=value,
        looked_at_twice=twice.height,
        found_again=again.height,
        found_before=int(again["first"].sum()),
        detects=detects,
        rows=judged.height,
        score=float(judged["score"].to_numpy().mean()) if judged.height else None,
        found=found,
        illicit=_illicit(found, detects),
    )


def _is_close(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9))


def _detects(twice: pl.DataFrame, confidence: float) -> Estimate:
    again = twice.filter("second")
    if twice.is_empty():
        return Estimate(value=None, reason=NO_LOOKS)
    if again.height < MIN_FOUND:
        return Estimate(value=None, reason=f"second looks found {again.height} infringements; {MIN_FOUND} are needed")
    return _share(again, "first", confidence)


def _found(judged: pl.DataFrame, confidence: float) -> Estimate:
    return _share(judged, "is_illicit", confidence) if judged.height else Estimate(value=None, reason="no rows")


def _share(rows: pl.DataFrame, of: str, confidence: float) -> Estimate:
    by_declaration = rows.group_by("declaration_id", maintain_order=True).agg(pl.col(of).sum(), items=pl.len())
    found, items = (by_declaration[name].cast(pl.Int64).to_numpy() for name in (of, "items"))
    return shares.share(found.astype(np.int64), items, confidence)


def _illicit(found: Estimate, detects: Estimate) -> Estimate:
    if detects.value is None or found.value is None:
        return Estimate(value=None, reason=detects.reason if detects.value is None else found.reason)
    if not detects.value:
        return Estimate(value=None, reason="first looks had found nothing of what second looks found")
    return shares.quotient(found, detects)
