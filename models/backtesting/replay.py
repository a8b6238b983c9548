"""Past weeks as they would have gone under another way of choosing: choose, inspect, learn from what was inspected.

Each week a strategy chooses among the declarations of that week. It sees features as they would have been on the day of
acceptance if it had done the choosing ever since the warm-up. It learns nothing of declarations that it did not inspect
itself, and of those that it did inspect it learns only after the delay. The strategies are in strategies.py; result.py
has what is measured of them.

All strategies meet the same declarations, the same rounding of places and the same luck: whether an inspection in a
lane would find what is there is settled once for each declaration, before anybody chooses (common random numbers).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
import polars as pl
from pydantic import Field

from features import contract
from features.contract import KEY
from features.facts import Known, asof, kinds
from features.families import FAMILIES
from features.history import History
from features.progress import Progress
from models.document import Document
from models.evaluation import schemes
from models.policy import LANES, Lanes, Policy

WEEK_DAYS = 7
GREEN = "green"
# Families whose features depend on what was inspected; the others are computed once.
RESTS_ON_OUTCOMES = tuple(
    family for family in FAMILIES if any(feature.rests_on_outcomes for feature in family.FEATURES)
)
_EPOCH = date(1970, 1, 1)
_TRUTH = ("scheme", "is_illicit", "is_critical", "evaded_revenue")


class Setting(Document):
    """Tells what is rehearsed. The weeks before the first replayed one are the warm-up: they stay as they were.

    `new_scheme` has no declaration before week `new_from_week` of the replay (from 0), so that nobody can have learned
    of it. Where `answers` is set, traders who cheat answer each strategy: see answering.py. There are fewer rounds than
    in a real training, because a rehearsal trains a dozen times for each strategy.
    """

    warm_up_weeks: int = Field(26, ge=1)
    retrain_weeks: int = Field(4, ge=1)
    max_rounds: int = Field(100, ge=1)
    early_stopping_rounds: int = Field(15, ge=1)
    new_scheme: str | None = None
    new_from_week: int = Field(8, ge=0)
    answers: bool = False

    def shortened(self, policy: Policy) -> Policy:
        """Return the policy with trainings as short as this says."""
        shorter = {"max_rounds": self.max_rounds, "early_stopping_rounds": self.early_stopping_rounds}
        return policy.model_copy(update={"training": policy.training.model_copy(update=shorter)})


class Chooser(Protocol):
    """Holds what a strategy has learned by one day."""

    def choose(self, week: pl.DataFrame, rng: np.random.Generator, /) -> pl.DataFrame:
        """Return key, `lane`, `reason`, `selection_probability` of each row of `week`, in its order."""
        ...


class Strategy(Protocol):
    """A way of choosing. `reads_outcomes` says whether it needs the features that rest on outcomes."""

    @property
    def reads_outcomes(self) -> bool: ...

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        """Return a chooser made from what is known today.

        `known` has every inspected row whose result is known, with features, labels, and the `reason` for which it was
        chosen (null in the warm-up). `recent` has features of all declarations since the last time, without labels.
        """
        ...


class Answering(Protocol):
    """Those in the world who answer what a strategy did."""

    def answer(self, world: "ReplayedWorld", number: int, found: pl.DataFrame, /) -> "Answer":
        """Return week `number` of `world` as declared by those who know the outcomes in `found`, as of its Monday."""
        ...


@dataclass(frozen=True)
class Answer:
    """A world with a week as it was declared, how each row of it was `answered`, and those who will answer next."""

    world: "ReplayedWorld"
    answered: pl.DataFrame
    answering: Answering


@dataclass(frozen=True)
class ReplayedWorld:
    """Declarations, what was found of them in the warm-up, and what an inspection of any of them would find.

    `history` has all declarations as queries. `truth` has key, `scheme`, `is_illicit`, `is_critical`, `evaded_revenue`,
    and `luck`, uniform from 0 to 1: an inspection finds what is there if its lane detects a larger share than that. Its
    rows are those of `history.rows`, in their order. `first_day` is the first replayed one (since 1970-01-01), and so
    many `weeks_replayed` follow.
    """

    history: Known
    truth: pl.DataFrame
    label_delay_days: int
    first_day: int
    weeks_replayed: int

    @classmethod
    def of(
        cls, history: Known, truth: pl.DataFrame, label_delay_days: int, setting: Setting, seed: int
    ) -> "ReplayedWorld":
        """Match `truth` (contract.TRUTH) with the history's rows, draw their luck, and leave out what begins later.

        Raises ValueError where the truth of a declaration is not known, no result of an inspection is known when the
        warm-up is over, no whole week is left to replay, or no declaration is of the scheme that is to be new.
        """
        joined = history.rows.select(KEY).join(
            truth.select(*KEY, *_TRUTH), on=KEY, how="left", maintain_order="left", validate="1:1"
        )
        if unknown := joined["is_illicit"].null_count():
            raise ValueError(
                f"the truth of {unknown} of {joined.height} declarations is not known; allowed: none, as the rehearsal "
                "has to know what inspecting any of them would find"
            )
        luck = np.random.default_rng(seed).random(joined.height)
        day = history.rows["day"]
        first_day = int(day[0]) + WEEK_DAYS * setting.warm_up_weeks
        if first_day + WEEK_DAYS > day[-1] + 1:
            raise ValueError(
                f"warm_up_weeks is {setting.warm_up_weeks}; allowed: fewer, as the declarations span "
                f"{(int(day[-1]) + 1 - int(day[0])) // WEEK_DAYS} weeks"
            )
        is_learned = pl.col("is_inspected") & pl.col("is_illicit").is_not_null() & (pl.col("day") < first_day)
        if history.found.filter(is_learned).is_empty():
            raise ValueError(
                f"warm_up_weeks is {setting.warm_up_weeks}; allowed: more, as no result of an inspection is known when "
                "they are over, and there is nothing to learn from"
            )
        count = (int(day[-1]) + 1 - first_day) // WEEK_DAYS
        world = cls(history, joined.with_columns(luck=pl.Series(luck)), label_delay_days, first_day, count)
        if setting.new_scheme is None:
            return world
        return world._beginning_later(setting.new_scheme, first_day + WEEK_DAYS * setting.new_from_week)

    def _beginning_later(self, scheme: str, day: int) -> "ReplayedWorld":
        """Return the same world without the declarations of `scheme` accepted before `day`."""
        known = sorted(self.truth.filter(pl.col("scheme") != schemes.NONE)["scheme"].unique())
        if scheme not in known:
            raise ValueError(f"new_scheme is {scheme!r}; allowed: {', '.join(known)}")
        kept = ~((self.truth["scheme"] == scheme) & (self.history.rows["day"] < day))
        gone = self.history.rows.filter(~kept).select(KEY)
        history = replace(
            self.history,
            rows=self.history.rows.filter(kept),
            declared=self.history.declared.join(gone, on=KEY, how="anti", maintain_order="left"),
            found=self.history.found.join(gone, on=KEY, how="anti", maintain_order="left"),
        )
        return replace(self, history=history, truth=self.truth.filter(kept))

    @cached_property
    def weeks(self) -> list[slice]:
        """Return the rows of each replayed week; only whole weeks count."""
        day = self.history.rows["day"].to_numpy()
        edges = np.searchsorted(day, self.first_day + WEEK_DAYS * np.arange(self.weeks_replayed + 1)).tolist()
        return [slice(start, end) for start, end in pairwise(edges)]

    @cached_property
    def fixed(self) -> pl.DataFrame:
        """Return what does not depend on what was inspected: such features, and the declarations' own columns."""
        return self.as_declared(slice(None))

    @cached_property
    def found(self) -> pl.DataFrame:
        """Return the outcomes of the warm-up's declarations, as facts."""
        return self.history.found.filter(pl.col("accepted_day") < self.first_day)

    @cached_property
    def inspected(self) -> pl.DataFrame:
        """Return the warm-up's inspected rows: all features, labels, and when each result was known and replaced."""
        rows = slice(0, self.weeks[0].start)
        every = pl.concat([self.fixed[rows], self.features(rows, self.found)], how="horizontal")
        labels = (
            self.found.filter(pl.col("sign") > 0, pl.col("is_inspected"), pl.col("is_illicit").is_not_null())
            .join(self.truth.select(*KEY, _really="is_critical"), on=KEY, how="left")
            .select(
                *KEY,
                "is_inspected",
                "is_illicit",
                "recovered_revenue",
                is_critical=pl.col("is_illicit") & pl.col("_really"),
                known_day="day",
                replaced_day="replaced",
            )
        )
        return every.join(labels, on=KEY, how="inner", maintain_order="left").with_columns(
            known_on=_on("known_day"), reason=pl.lit(None, pl.String)
        )

    @cached_property
    def found_schemes(self) -> frozenset[str]:
        """Return the schemes of which the warm-up found at least one declaration."""
        hits = self.found.filter(pl.col("is_illicit")).select(KEY)
        return frozenset(self.truth.join(hits, on=KEY, how="semi")["scheme"])

    def as_declared(self, rows: slice) -> pl.DataFrame:
        """Return what `fixed` has of `rows`, computed for them alone."""
        asked = History(self._asked_by(rows))
        families = [family.compute(asked) for family in FAMILIES if family not in RESTS_ON_OUTCOMES]
        features = pl.concat(families, how="horizontal")
        names = [name for name in (*contract.schema("declarations"), *kinds.DERIVED) if name not in features.columns]
        return pl.concat([asked.rows.select(*names, "accepted_on"), features], how="horizontal")

    def _asked_by(self, rows: slice) -> Known:
        """Return the facts that `rows` may see, and these rows to ask about them."""
        asked = self.history.rows[rows]
        is_seen = pl.col("enter") <= (asked["day"].max() or 0)
        return replace(self.history, rows=asked, declared=self.history.declared.filter(is_seen))

    def features(self, rows: slice, found: pl.DataFrame) -> pl.DataFrame:
        """Return the features of `rows` that rest on outcomes, as of each row's day, if only `found` had been found."""
        asked = History(replace(self._asked_by(rows), found=found))
        return pl.concat([family.compute(asked) for family in RESTS_ON_OUTCOMES], how="horizontal")

    def redeclared(
        self, rows: slice, declared: pl.DataFrame, truth: pl.DataFrame, told: pl.DataFrame
    ) -> "ReplayedWorld":
        """Return the world in which `declared`, with its `truth`, came in place of `rows`; registers told `told`."""
        every, facts = self.history.rows, self.history.declared
        planned = every[rows].select(KEY)
        history = replace(
            self.history,
            rows=pl.concat([every[: rows.start], declared, every[rows.stop :]]),
            declared=pl.concat([facts.join(planned, on=KEY, how="anti"), kinds.signed(declared).select(facts.columns)]),
            told=told,
        )
        return replace(
            self, history=history, truth=pl.concat([self.truth[: rows.start], truth, self.truth[rows.stop :]])
        )

    def results(self, chosen: pl.DataFrame, rows: slice, lanes: Lanes) -> pl.DataFrame:
        """Return `is_hit` and `revenue` of each row of `rows`, as chosen: without an inspection nothing is found."""
        detects = {lane: getattr(lanes, lane).detects for lane in LANES} | {GREEN: 0.0}
        share = chosen["lane"].replace_strict(detects, return_dtype=pl.Float64)
        truth = self.truth[rows]
        is_hit = truth["is_illicit"] & (truth["luck"] < share)
        return pl.DataFrame({"is_hit": is_hit, "revenue": truth["evaded_revenue"] * is_hit})

    def facts(self, rows: slice, results: pl.DataFrame) -> pl.DataFrame:
        """Return the outcomes of `rows`, as if all of them had been inspected with these `results`, as facts."""
        facts = (
            self.history.rows[rows]
            .with_columns(
                is_inspected=pl.lit(value=True),
                is_illicit=results["is_hit"],
                recovered_revenue=results["revenue"],
                accepted_day=pl.col("day"),
                found_day=pl.col("day") + self.label_delay_days,
                replaced=pl.lit((asof.NEVER - _EPOCH).days),
                sign=1,
            )
            # If the declaration came after its outcome, the outcome counts from the day on which customs had both.
            .with_columns(day=pl.max_horizontal("found_day", pl.col("enter") - 1))
            .with_columns(enter=pl.col("day") + 1)
        )
        return facts.select(self.history.found.columns).cast(dict(self.history.found.schema))


def replay(
    world: ReplayedWorld,
    strategy: Strategy,
    retrain_weeks: int,
    lanes: Lanes,
    seed: int,
    on_week: Progress | None = None,
    answering: Answering | None = None,
) -> pl.DataFrame:
    """Return what `strategy` would have chosen and found: one row for each declaration of the replayed weeks.

    The columns are the key, `week` (from 0), `week_begins`, `accepted_on`, `office`, `hs2`, the truth (`scheme`,
    `is_illicit`, `evaded_revenue`), the choice (`lane`, `reason`, `selection_probability`), and what was found
    (`is_hit`, `revenue`). The strategy learns before week 0 and every `retrain_weeks` after. `seed` draws what it
    leaves to chance. Where traders are `answering`, their declarations are the answer to what was found before, and the
    columns of each `Answer` follow.
    """
    found, inspected = world.found, world.inspected
    recent: list[pl.DataFrame] = []
    log: list[pl.DataFrame] = []
    chooser: Chooser | None = None
    for number, rows in enumerate(world.weeks):
        answered = pl.DataFrame()
        if answering is None:
            week = world.fixed[rows]
        else:
            answer = answering.answer(world, number, found)
            world, answered, answering = answer.world, answer.answered, answer.answering
            rows = world.weeks[number]
            week = world.as_declared(rows)
        if strategy.reads_outcomes:
            week = pl.concat([week, world.features(rows, found)], how="horizontal")
        if chooser is None or number % retrain_weeks == 0:
            known = _known(inspected, world.first_day + WEEK_DAYS * number)
            chooser = strategy.learn(known, pl.concat([week.clear(), *recent]), chooser)
            recent = []
        chosen = chooser.choose(week, np.random.default_rng([seed, number]))
        results = world.results(chosen, rows, lanes)
        facts = world.facts(rows, results)
        is_inspected = chosen["lane"] != GREEN
        labelled = _labelled(week, chosen, facts, world.truth[rows]).filter(is_inspected)
        found = pl.concat([found, facts.filter(is_inspected)])
        inspected = pl.concat([inspected, labelled], how="diagonal_relaxed")
        recent.append(week)
        begins = _EPOCH + timedelta(days=world.first_day + WEEK_DAYS * number)
        logged = _logged(week, chosen, results, world.truth[rows]).with_columns(week=number, week_begins=begins)
        log.append(pl.concat([logged, answered], how="horizontal"))
        if on_week:
            on_week(number + 1, len(world.weeks))
    return pl.concat(log)


def rehearse(
    world: ReplayedWorld,
    strategies: Mapping[str, Strategy],
    retrain_weeks: int,
    lanes: Lanes,
    seed: int,
    on_week: Progress | None = None,
    answering: Answering | None = None,
) -> dict[str, pl.DataFrame]:
    """Return each strategy's `replay` in the same world with the same luck; `on_week(done, all)` counts over all."""
    total = len(world.weeks) * len(strategies)
    logs: dict[str, pl.DataFrame] = {}
    for place, (name, strategy) in enumerate(strategies.items()):
        before = place * len(world.weeks)
        report = (lambda done, _, before=before: on_week(before + done, total)) if on_week else None
        logs[name] = replay(world, strategy, retrain_weeks, lanes, seed, report, answering)
    return logs


def _known(inspected: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return the inspected rows with their results as known to whoever decides on `day`."""
    return inspected.filter(pl.col("known_day") < day, pl.col("replaced_day") >= day)


def _labelled(week: pl.DataFrame, chosen: pl.DataFrame, facts: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a week with their labels, as if all of them had been inspected."""
    labels = facts.select(
        "is_inspected", "is_illicit", "recovered_revenue", known_day="day", replaced_day="replaced"
    ).with_columns(is_critical=facts["is_illicit"] & truth["is_critical"], known_on=_on("known_day"))
    return pl.concat([week, labels, chosen.select("reason")], how="horizontal")


def _logged(week: pl.DataFrame, chosen: pl.DataFrame, results: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    parts = (
        week.select(*KEY, "accepted_on", "office", "hs2"),
        truth.select("scheme", "is_illicit", "evaded_revenue"),
        chosen.select("lane", "reason", "selection_probability"),
        results,
    )
    return pl.concat(parts, how="horizontal")


def _on(day: str) -> pl.Expr:
    return pl.col(day).cast(pl.Int32).cast(pl.Date)
