"""The books of played days: sums that must be equal if nothing was lost, doubled or made up on the way."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any

import polars as pl

from features.contract import KEY
from flows.play.playing import Play
from models import clock
from models.decisions import DecisionLog
from models.desk import Desk, Officer
from models.training import splits


@dataclass(frozen=True)
class Sum:
    """Two counts of the same, taken in two places."""

    what: str
    left: int
    right: int

    @property
    def balances(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True)
class Books:
    """Tells what was counted: `sums` that must balance, and what else is told of the days, by name."""

    sums: tuple[Sum, ...]
    told: dict[str, Any]

    @property
    def balance(self) -> bool:
        return all(each.balances for each in self.sums)

    def as_json(self) -> dict[str, Any]:
        """Return the books for scripts."""
        return {
            "balance": self.balance,
            "sums": [asdict(each) | {"balances": each.balances} for each in self.sums],
            **self.told,
        }

    @classmethod
    def of(cls, play: Play, log: DecisionLog, open_before: int) -> "Books":
        """Return the books of days that were played, before which so many cases were `open_before`.

        Unavailable if the database of decisions does not answer.
        """
        days = [play.first + timedelta(days=place) for place in range(play.days)]
        decided = {(each.declaration_id, each.version): each for day in days for each in log.of_day(day)}
        answered = {key: told["decision_id"] for key, told in play.posted.items()}
        same = sum(answered.get(key) == each.decision_id for key, each in decided.items())
        in_a_lane = {name for (name, _), told in play.posted.items() if told["lane"] != "green"}
        looks = _looks(play, log)
        judged = looks["judged"]
        names = {name for name, _ in play.posted}
        # Those of earlier days are in the books of earlier days.
        own = [each for each in play.judged if each.declaration_id in names]
        items = {(each.declaration_id, item) for each in own for item in each.found}
        declared, outcomes = _stored(play, names)
        filed: dict[tuple[str, int], tuple[int, bool]] = {}  # at first look, which is the case with the lower number
        for each in own:
            for item, is_hit in each.found.items():
                if each.case <= filed.get((each.declaration_id, item), (each.case,))[0]:
                    filed[each.declaration_id, item] = each.case, is_hit
        alike = sum(filed.get((name, item), (0, None))[1] == hit for name, item, hit in outcomes.iter_rows())
        parts = _parts(play, outcomes)
        sums = (
            Sum("versions posted and answered = decisions in the log", len(answered), len(decided)),
            Sum("decisions in the log = those that were told, by their id", len(decided), same),
            Sum("open before + put into a lane = judged + open", open_before + len(in_a_lane), judged + looks["open"]),
            Sum(
                "cases that officers released = first and second looks",
                len({each.case for each in play.judged}),
                judged + looks["again"],
            ),
            Sum("declarations posted = declarations in the store", len(names), declared),
            Sum("items judged = outcomes in the store", len(items), outcomes.height),
            Sum("outcomes in the store = as the first look filed them", outcomes.height, alike),
            Sum("labels gained = known to the newest model", outcomes.height, sum(parts.values())),
        )
        return cls(sums, _told(play, looks, outcomes, parts))


def _desk(play: Play) -> Desk:
    """Return the desk, to be counted: nothing is drawn or written, so it needs no secret."""
    settings = play.settings
    now = clock.clock(settings.time_zone or "UTC", settings.played_clock)
    return Desk(settings.decisions_uri, play.policy.desk, b"", settings.state_folder / "photos", now)


def count_open(play: Play, log: DecisionLog) -> int:
    """Return how many cases are open now; Unavailable as `Books.of`."""
    return _looks(play, log)["open"]


def _looks(play: Play, log: DecisionLog) -> dict[str, int]:
    """Return how many cases were judged at first look, how many are open, and how many were judged again."""
    desk = _desk(play)
    desk.cases.follow(log)  # as whoever opens the desk does
    offices = play.workspace.store.scan("declarations").select("office").unique().collect()["office"]
    supervisor, now = Officer("books", tuple(offices), is_supervisor=True), desk.shared.now()
    since = datetime.combine(play.first, time(), now.tzinfo)
    lanes = desk.supervision.figures(supervisor, since, now).lanes
    return {
        "judged": sum(each.released + each.overridden for each in lanes),
        "open": sum(each.waiting.open for each in lanes),
        "again": len(desk.second_looks.pairs(supervisor, since)),
    }


def _stored(play: Play, names: Collection[str]) -> tuple[int, pl.DataFrame]:
    """Return how many of the declarations are stored, and the outcomes of theirs: KEY and `is_illicit`."""
    store, own = play.workspace.store, pl.col("declaration_id").is_in(list(names))
    declared = store.scan("declarations", play.first, play.last).filter(own).select("declaration_id").unique().collect()
    outcomes = store.scan("outcomes", play.first, play.last).filter(own).select(*KEY, "is_illicit").unique().collect()
    return declared.height, outcomes


def _parts(play: Play, outcomes: pl.DataFrame) -> dict[str, int]:
    """Return how many of the labels the newest model learned from, and how many it was judged by."""
    workspace = play.workspace
    dataset = workspace.dataset(workspace.features())
    split = splits.split_by_time(dataset, play.policy.training, play.policy.features.label_delay_days)
    return {
        "learned from": split.before_test.join(outcomes, on=KEY, how="semi").height,
        "judged by": split.test.join(outcomes, on=KEY, how="semi").height,
    }


def _told(play: Play, looks: dict[str, int], outcomes: pl.DataFrame, parts: dict[str, int]) -> dict[str, Any]:
    of_officer: dict[str, list[bool]] = {}
    for each in play.judged:
        of_officer.setdefault(each.officer, []).extend(each.found.values())
    asked: dict[str, int] = {}
    for told in play.posted.values():
        asked[told["model_version"] or "none"] = asked.get(told["model_version"] or "none", 0) + 1
    return {
        "first": str(play.first),
        "last": str(play.last),
        "cases": looks,
        "hits": int(outcomes["is_illicit"].sum()),
        "labels": parts,
        "officers": {name: {"items": len(found), "hits": sum(found)} for name, found in of_officer.items()},
        "answered by version": asked,
        "trained": play.trained,
        "promoted": play.promoted,
        "window killed": play.crashes,
    }
