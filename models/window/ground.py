"""What the answers of a day stand on, made once and the same for all: morning, champion, shadows, plans of offices.

Nothing here changes while the day goes on; what does, the offices' states, is in deciding.py. Where no model can be
asked, the ground says why, and goes by the risk profile: how often importer and goods were found before. Where there
is no morning either, nothing is known of anybody, and places go by chance and to those who come first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Protocol

import msgspec
import numpy as np
import polars as pl

from features.arrays import Floats
from features.matrix import CATALOGUE
from models import spans
from models.criteria import InForce
from models.decisions import record
from models.dossier import Incumbent
from models.live import Plan, chance, plan_day
from models.policy import Policy
from models.reasons import Reason, reasons_by_row
from models.risk import Matrix
from models.targeting import Exploring, exploration
from models.window.profile import profiled

REASONS = 3
TOLD = ("score", "critical", "expected_revenue", "revenue_if_illicit", "priority")
_COMPARED = 500  # past rows among which a weight of exploration is found
_NAMES = [feature.name for feature in CATALOGUE]
_COLUMNS = tuple((feature.name, feature.kind) for feature in CATALOGUE)
_NOTHING = dict.fromkeys((*TOLD, "explore"), 0.0)


@dataclass(frozen=True)
class Familiar:
    """Holds what exploration goes by: the share, what was inspected, and past rows among which a weight is found."""

    exploring: Exploring
    champion: Incumbent
    score: Floats
    revenue: Floats
    rarity: Floats

    @classmethod
    def of(cls, exploring: Exploring, champion: Incumbent, past: pl.DataFrame) -> "Familiar":
        """Return it for `past` rows: features, `importer_id` and the champion's predictions, in order of acceptance."""
        compared = past.gather_every(max(past.height // _COMPARED, 1))
        return cls(
            exploring,
            champion,
            compared["score"].to_numpy(),
            compared["revenue_if_illicit"].to_numpy(),
            exploring.rarity(champion.model, compared, champion.model.encoder.encode(compared)),
        )

    def weights(self, asked: pl.DataFrame, matrix: Matrix, predicted: pl.DataFrame) -> list[float]:
        """Return the weight of each of `asked` (features and `importer_id`) among the past rows.

        `matrix` is `asked`, encoded, and `predicted` what the champion says of it. Each is weighed by itself: its
        weight does not depend on which others are asked about together with it.
        """
        strategy = self.champion.policy.exploration.strategy
        rare = self.exploring.rarity(self.champion.model, asked, matrix)
        found = []
        for line, (score, revenue) in enumerate(predicted["score", "revenue_if_illicit"].rows()):
            own = (np.append(self.score, score), np.append(self.revenue, revenue), np.append(self.rarity, rare[line]))
            found.append(float(exploration.weights(strategy, *own)[-1]))
        return found


@dataclass(frozen=True)
class Judged:
    """Holds what a ground says of rows, in their order.

    `told` has TOLD and `explore` of each, `features` its values in the order of the catalogue, or none where nothing is
    known, and `reasons` up to REASONS of them. `shadows` has scores by version and digest of a model that awaits
    sign-off.
    """

    told: Sequence[Mapping[str, float]]
    features: Sequence[tuple[Any, ...]]
    reasons: Sequence[tuple[Reason, ...]]
    shadows: Mapping[tuple[str, str], Sequence[float]]

    def part(self, start: int, end: int) -> "Judged":
        """Return the rows from `start` up to, but not including, `end`."""
        rows = slice(start, end)
        shadows = {version: scores[rows] for version, scores in self.shadows.items()}
        return Judged(self.told[rows], self.features[rows], self.reasons[rows], shadows)


class Known(Protocol):
    """Tells what was known before a day, as features.matrix.Morning does, or what a decision has stored of it."""

    @property
    def digest(self) -> str: ...

    def features(self, declarations: pl.DataFrame) -> pl.DataFrame: ...


@dataclass(frozen=True)
class Ground:
    """The ground of a day's answers.

    `policy` is the champion's, as signed, or the one on the disk where there is none. `past` are declarations of the
    weeks before, scored as those of the day will be (see models.live.plan_day). `secret` is the day's. `unscored` says
    why no champion is asked, and is empty if one is. `criteria` are those of officers that are in force.
    """

    day: date
    policy: Policy
    secret: bytes
    past: pl.DataFrame
    morning: Known | None = None
    champion: Incumbent | None = None
    shadows: tuple[Incumbent, ...] = ()
    familiar: Familiar | None = None  # None where nothing explores, as nothing was inspected before
    unscored: str = ""
    criteria: InForce = field(default_factory=InForce)
    _plans: dict[str, Plan] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.champion is None) != bool(self.unscored) or (self.champion and not self.morning):
            raise ValueError("a ground has a champion and a morning, or says why it has none")

    @property
    def version(self) -> tuple[str, str]:
        """Return the champion's version and the digest of its model; empty texts if there is none."""
        return (self.champion.version, self.champion.model.digest) if self.champion else ("", "")

    def plan(self, office: str) -> Plan:
        """Return the office's plan for the day; it is made when the office is first asked about."""
        if office not in self._plans:
            share = self.familiar.exploring.share.value if self.familiar else 0.0
            rounding = chance.rounding(self.secret, office)
            self._plans[office] = plan_day(office, self.day, self.past, self.policy.targeting, rounding, share)
        return self._plans[office]

    def put(self, plan: Plan) -> None:
        """Have an office go by a plan that was made before."""
        self._plans[plan.office] = plan

    def judged(self, declared: pl.DataFrame, language: str) -> Judged:
        """Return what is known and thought of rows of the contract, all accepted on the day; each by itself."""
        if self.morning is None:
            return Judged([_NOTHING] * declared.height, [()] * declared.height, [()] * declared.height, {})
        with spans.span("features", rows=declared.height):
            features = self.morning.features(declared)
            values = features[_NAMES].rows()
        with spans.span("score", rows=declared.height):
            return self._said(declared, features, values, language)

    def _said(
        self, declared: pl.DataFrame, features: pl.DataFrame, values: list[tuple[Any, ...]], language: str
    ) -> Judged:
        """Return what the champion, or the risk profile in its place, says of features."""
        if self.champion is None:
            told = [_NOTHING | said for said in profiled(features).to_dicts()]
            return Judged(told, values, [()] * declared.height, {})
        matrix = self.champion.model.encoder.encode(features)
        predicted = self.champion.model.predict(features, matrix)
        explore = [0.0] * declared.height
        if self.familiar:
            explore = self.familiar.weights(features.hstack([declared["importer_id"]]), matrix, predicted)
        said = {name: predicted[name].to_list() for name in TOLD} | {"explore": explore}
        told = [dict(zip(said, row, strict=True)) for row in zip(*said.values(), strict=True)]
        shadows = {
            (each.version, each.model.digest): each.model.predict(features)["score"].to_list() for each in self.shadows
        }
        why = reasons_by_row(self.champion.model, features, matrix, language, REASONS)
        return Judged(told, values, why, shadows)


def columns_as_json() -> bytes:
    """Return name and kind of each feature, in the order in which decisions have their values."""
    return msgspec.json.encode(_COLUMNS)


@cache
def digest_of_columns() -> str:
    """Return the digest by which decisions name the list of features."""
    return record.digest(_COLUMNS)
