"""Reasons: the groups that moved a declaration's score most, each with the sentence that an officer reads.

Contributions are Shapley values of the trees (Lundberg et al., 2020: exact, path-dependent TreeSHAP). They add up: a
group's contribution is the sum of its features' contributions, and all groups with the baseline give the raw log-odds
of the row.
"""

from collections.abc import Mapping
from functools import cache

import msgspec
import numpy as np
import polars as pl

from features.arrays import Floats
from features.contract import KEY
from features.families import Feature, Sentences
from features.matrix import CATALOGUE
from models.reasons.grouping import features_of, groups
from models.reasons.language import read
from models.reasons.sentences import Item, phrase
from models.risk import Matrix, RiskModel, boosting

SCHEMA = pl.Schema(
    {
        "rank": pl.Int32(),
        "group": pl.String(),
        "contribution": pl.Float64(),
        "direction": pl.String(),
        "sentence": pl.String(),
    }
)


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason for the score of a row.

    `contribution` is what the group adds to the log-odds of the score before calibration; `direction` is "raises" or
    "lowers". The sentence states the fact that moved the group's contribution most in its direction.
    """

    group: str
    contribution: float
    direction: str
    sentence: str


def reasons(model: RiskModel, frame: pl.DataFrame, language: str, top: int = 4) -> pl.DataFrame:
    """Return the key and `SCHEMA`: the reasons for each row of `frame` as `reasons_by_row` gives them, by rank."""
    found = [
        (line, rank, *msgspec.structs.astuple(reason))
        for line, of_row in enumerate(reasons_by_row(model, frame, model.encoder.encode(frame), language, top))
        for rank, reason in enumerate(of_row, start=1)
    ]
    lines = pl.DataFrame(found, schema={"line": pl.UInt32(), **SCHEMA}, orient="row")
    return frame.select(KEY).with_row_index("line").join(lines, on="line", maintain_order="left_right").drop("line")


def reasons_by_row(
    model: RiskModel, frame: pl.DataFrame, matrix: Matrix, language: str, top: int
) -> list[tuple[Reason, ...]]:
    """Return up to `top` reasons for each row of `frame`, in its order, the weightiest first.

    `matrix` is `frame`, encoded. `language` is en, fr or zh. A group that adds nothing is no reason, so a row may have
    fewer than `top`. ValueError where the language or `top` is not allowed, or the frame lacks a feature.
    """
    if top < 1:
        raise ValueError(f"top is {top}; allowed: 1 or more")
    words, told, places = read(language), features_of(model.encoder.names), _places(model.encoder.names)
    shares = boosting.contributions(model.illicit, matrix)
    weight = _summed(shares, places)
    best = np.argsort(-np.abs(weight), axis=1, kind="stable")[:, :top]
    columns = set(frame.columns)
    names = [feature.name for feature in CATALOGUE if feature.name in columns]
    by_place = list(places)
    found = []
    for line, values in enumerate(frame[names].rows()):
        row, of_row = Item(dict(zip(names, values, strict=True))), []
        for place in best[line].tolist():
            group, contribution = by_place[place], float(weight[line, place])
            if contribution == 0:
                break
            sign = 1 if contribution > 0 else -1
            moved = {model.encoder.names[each]: sign * float(shares[line, each]) for each in places[group]}
            name = leading(moved, told)
            sentence = words.render(phrase(told[name], row, model.encoder.known_codes.get(name, frozenset())))
            of_row.append(Reason(group, contribution, "raises" if sign > 0 else "lowers", sentence))
        found.append(tuple(of_row))
    return found


def group_contributions(model: RiskModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the key, what each group adds to a row's raw log-odds, and their common start as `baseline`."""
    shares, places = boosting.contributions(model.illicit, model.encoder.encode(frame)), _places(model.encoder.names)
    sums = pl.DataFrame(_summed(shares, places), schema=dict.fromkeys(places, pl.Float64))
    return pl.concat([frame.select(KEY), sums.with_columns(baseline=shares[:, -1])], how="horizontal")


def leading(moved: Mapping[str, float], told: Mapping[str, Feature]) -> str:
    """Return the feature whose fact stands for its group: the one that moved most, of the kind that moved most in all.

    Features are of one kind if the same sentences about the same entity state them. `moved` is how far each feature of
    the group moved the score in the group's direction.

    >>> told = features_of(("importer_hit_rate_30d", "importer_hit_rate_90d", "importer_value_90d"))
    >>> leading({"importer_hit_rate_30d": 0.2, "importer_hit_rate_90d": 0.3, "importer_value_90d": 0.4}, told)
    'importer_hit_rate_90d'
    """
    by_kind: dict[tuple[Sentences | str, tuple[str, ...]], float] = {}
    for name, value in moved.items():
        kind = (told[name].sentences, told[name].entity)
        by_kind[kind] = by_kind.get(kind, 0.0) + value
    most = max(by_kind, key=by_kind.__getitem__)
    return max((name for name in moved if (told[name].sentences, told[name].entity) == most), key=moved.__getitem__)


@cache
def _places(names: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the groups, in alphabetical order, with the places of their features in `names`."""
    place_of = {name: place for place, name in enumerate(names)}
    return {group: [place_of[name] for name in members] for group, members in groups(names).items()}


def _summed(shares: Floats, places: Mapping[str, list[int]]) -> Floats:
    """Return rows x groups."""
    # Feature by feature: a sum in NumPy adds in an order that depends on how many rows there are, and the last digits
    # of a reason would too.
    return np.column_stack([shares[:, of_group].cumsum(axis=1)[:, -1] for of_group in places.values()])
