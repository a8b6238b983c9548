"""Reasons: the groups that moved a declaration's score most, each with the sentence that an officer reads.

Contributions are Shapley values of the trees (Lundberg et al., 2020: exact, path-dependent TreeSHAP). They add up: a
group's contribution is the sum of its features' contributions, and all groups with the baseline give the raw log-odds
of the row.
"""

import operator
from collections.abc import Mapping
from functools import reduce

import numpy as np
import polars as pl

from features.contract import KEY
from features.families import Feature, Sentences
from features.matrix import CATALOGUE
from models.reasons.grouping import features_of, groups
from models.reasons.language import read
from models.reasons.sentences import Item, phrase
from models.risk import RiskModel

SCHEMA = pl.Schema(
    {
        "rank": pl.Int32(),
        "group": pl.String(),
        "contribution": pl.Float64(),
        "direction": pl.String(),
        "sentence": pl.String(),
    }
)


def reasons(model: RiskModel, frame: pl.DataFrame, language: str, top: int = 4) -> pl.DataFrame:
    """Return the key and `SCHEMA`: up to `top` reasons for each row of `frame`, in its order, the weightiest first.

    `contribution` is what the group adds to the log-odds of the score before calibration; `direction` is "raises" or
    "lowers". `language` is en, fr or zh. The sentence states the fact that moved the group's contribution most in its
    direction. A group that adds nothing is no reason, so a row may have fewer than `top`. ValueError where the language
    or `top` is not allowed, or the frame lacks a feature.
    """
    if top < 1:
        raise ValueError(f"top is {top}; allowed: 1 or more")
    words = read(language)
    shares = _contributions(model, frame)
    members = groups(model.encoder.names)
    place_of = {name: place for place, name in enumerate(model.encoder.names)}
    places = {group: [place_of[name] for name in names] for group, names in members.items()}
    shapley = shares.select(model.encoder.names).to_numpy()
    weight = _summed(shares, members).to_numpy()
    best = np.argsort(-np.abs(weight), axis=1, kind="stable")[:, :top]

    told = features_of(model.encoder.names)
    known_codes: dict[str, frozenset[str]] = {}
    columns = frame.schema
    catalogued = frame.select([feature.name for feature in CATALOGUE if feature.name in columns])
    names = list(members)
    found: list[tuple[int, int, str, float, str, str]] = []
    for line, values in enumerate(catalogued.iter_rows(named=True)):
        row = Item(values)
        for rank, place in enumerate(best[line], start=1):
            group, contribution = names[place], float(weight[line, place])
            if contribution == 0:
                break
            sign = 1 if contribution > 0 else -1
            moved = dict(zip(members[group], sign * shapley[line, places[group]], strict=True))
            name = leading(moved, told)
            if name not in known_codes:
                known_codes[name] = frozenset(model.encoder.categories.get(name, ()))
            sentence = words.render(phrase(told[name], row, known_codes[name]))
            found.append((line, rank, group, contribution, "raises" if sign > 0 else "lowers", sentence))
    lines = pl.DataFrame(found, schema={"line": pl.UInt32(), **SCHEMA}, orient="row")
    return frame.select(KEY).with_row_index("line").join(lines, on="line", maintain_order="left_right").drop("line")


def group_contributions(model: RiskModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the key, what each group adds to a row's raw log-odds, and their common start as `baseline`."""
    shares = _contributions(model, frame)
    return pl.concat(
        [shares.select(KEY), _summed(shares, groups(model.encoder.names)), shares.select("baseline")],
        how="horizontal",
    )


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


def _contributions(model: RiskModel, frame: pl.DataFrame) -> pl.DataFrame:
    if not frame.is_empty():
        return model.contributions(frame)
    model.encoder.check(frame)  # LightGBM divides by the number of rows
    none = [pl.Series(name, [], pl.Float64) for name in (*model.encoder.names, "baseline")]
    return frame.select(KEY).with_columns(none)


def _summed(shares: pl.DataFrame, members: Mapping[str, list[str]]) -> pl.DataFrame:
    # One after another: sum_horizontal and NumPy's sum add in an order that depends on how many rows there are, and the
    # last digits of a reason would too.
    of = dict(zip(shares.columns, shares.get_columns(), strict=True))
    sums = {group: reduce(operator.add, [of[name] for name in names]) for group, names in members.items()}
    return pl.DataFrame(sums, schema=dict.fromkeys(members, pl.Float64))
