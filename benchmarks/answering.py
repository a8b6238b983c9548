"""What each way of looking finds of what traders move to where little is looked at, and what it costs where none move.

    python -m benchmarks.answering              # goes on with what is left; several may run side by side
    python -m benchmarks.answering --summary    # once all is there: benchmarks/results/answering.json

A unit is a world of 200,000 declarations, whether it answers, and a strategy, replayed for a year; it takes some two
minutes of one core. `make trial answering` runs them all, one after another. The worlds were named before anybody
looked at one of them.
"""

import argparse
import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from benchmarks import measuring, worlds
from features.simulator import Parameters
from models.backtesting import answering, looking, replay, simulated, strategies
from models.policy import Policy, load

WORLDS, ROWS = (301, 302, 303, 304, 305), 200_000
FOLDER = Path(".tidewaiter/answering")
SETTING = replay.Setting()
BEFORE = "product"
GOAL_FOUND, GOAL_LOST = 0.25, 0.03  # at least so much more of what moved, at most so much fewer hits


def _random(policy: Policy, share: float) -> replay.Strategy:
    """Return the product with so many of the declarations drawn by chance, of which it inspects a tenth in all."""
    targeting = policy.targeting.model_copy(update={"random_share": share})
    return strategies.Product(policy.model_copy(update={"targeting": targeting}), explores=False)


def _way(name: str) -> Callable[[Policy], replay.Strategy]:
    return lambda policy: looking.Looking(policy, looking.WAYS[name])


STRATEGIES: Mapping[str, Callable[[Policy], replay.Strategy]] = {
    BEFORE: lambda policy: strategies.Product(policy, explores=False),
    "exploring": lambda policy: strategies.Product(policy, explores=True),
    "random_0": lambda policy: _random(policy, 0.0),
    "random_2": lambda policy: _random(policy, 0.02),
    "random_5": lambda policy: _random(policy, 0.05),
    "random_all": lambda policy: strategies.Random(policy.targeting),
    **{name: _way(name) for name in looking.WAYS},
}


@dataclass(frozen=True)
class Unit:
    seed: int
    answers: bool
    strategy: str

    @property
    def file(self) -> str:
        return f"{self.seed}-{'answers' if self.answers else 'still'}-{self.strategy}.json"


UNITS = tuple(Unit(*each) for each in product(WORLDS, (True, False), STRATEGIES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where units are kept")
    parser.add_argument("--rows", type=int, default=ROWS, help="of a world")
    parser.add_argument("--summary", action="store_true", help="write the result, and run nothing")
    asked = parser.parse_args()
    if asked.summary:
        save(asked.folder, asked.rows)
        return
    for unit in UNITS:
        with _alone(asked.folder / unit.file) as is_free:
            if is_free:
                print(unit, found(unit, asked.folder, asked.rows), flush=True)


@contextmanager
def _alone(file: Path) -> Iterator[bool]:
    """Tell whether nobody else is at the same file; the system forgets who was when that process ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def found(unit: Unit, folder: Path, rows: int) -> dict[str, Any]:
    """Return what is kept of a unit, or replay it and keep that; ValueError as from `_kept`."""
    file = folder / unit.file
    if not file.exists():
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(_replayed(unit, rows)))
        draft.rename(file)
    return _kept(file, rows)


def _kept(file: Path, rows: int) -> dict[str, Any]:
    """Return what is kept of a unit; ValueError if it is of a world of another size."""
    kept = json.loads(file.read_text())
    if kept["rows"] != rows:
        raise ValueError(
            f"{file} is of a world of {kept['rows']} declarations; allowed: {rows}, so give --rows or another --folder"
        )
    return kept


def _replayed(unit: Unit, rows: int) -> dict[str, Any]:
    policy = load()
    world = _world(unit.seed, rows)
    traders = answering.Traders.of(world, unit.seed, answering.Behaviour()) if unit.answers else None
    started = process_time()
    log = replay.replay(
        world,
        STRATEGIES[unit.strategy](SETTING.shortened(policy)),
        SETTING.retrain_weeks,
        policy.targeting.lanes,
        unit.seed,
        answering=traders,
    )
    return figures(log) | {"cpu_seconds": round(process_time() - started, 1), "rows": rows}


@lru_cache(maxsize=1)
def _world(seed: int, rows: int) -> replay.ReplayedWorld:
    delay = load().features.label_delay_days
    return replay.ReplayedWorld.of(*simulated(Parameters(rows=rows, seed=seed), delay), delay, SETTING, seed)


def figures(log: pl.DataFrame) -> dict[str, float]:
    """Return the sums of a replay's log, and of what in it was moved and renamed, where a world answers."""
    is_found = pl.col("is_hit")
    of = {
        "": pl.lit(value=True),
        "random_": pl.col("reason") == "random",
        "explored_": pl.col("reason") == "exploration",
    }
    if "is_moved" in log.columns:
        of |= {"moved_": pl.col("is_moved"), "renamed_": pl.col("is_renamed")}
    sums: dict[str, pl.Expr] = {"weeks": pl.col("week").n_unique()}
    for name, those in of.items():
        sums |= {
            f"{name}declared": those.sum() if name else pl.len(),
            f"{name}inspected": (those & (pl.col("lane") != replay.GREEN)).sum(),
            f"{name}illicit": (those & pl.col("is_illicit")).sum(),
            f"{name}hits": (those & is_found).sum(),
            f"{name}evaded": pl.col("evaded_revenue").filter(those).sum(),
            f"{name}revenue": pl.col("revenue").filter(those).sum(),
        }
    return log.select(**sums).to_dicts()[0]


def save(folder: Path, rows: int) -> None:
    """Write the result; FileNotFoundError names a unit that is not there yet, ValueError one of other rows."""
    units = {unit: _kept(folder / unit.file, rows) for unit in UNITS}
    told = {name: _told(units, name) for name in STRATEGIES}
    measuring.save(
        "answering",
        rows=rows,
        worlds=WORLDS,
        behaviour=answering.Behaviour().model_dump(),
        goal={"found_of_moved": GOAL_FOUND, "hits_lost": GOAL_LOST},
        strategies=told,
        units={unit.file.removesuffix(".json"): each for unit, each in units.items()},
    )
    print(table(told), table_of_chance(told), sep="\n\n")


def table(told: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what docs/rehearsal.md shows of `told`: means, with intervals over worlds where a strategy is compared."""

    def cell(figure: Mapping[str, float], how: str) -> str:
        mean, low, high = (f"{figure[end]:{how}}".replace("%", " %") for end in ("mean", "low", "high"))
        return f"{mean} ({low} to {high})"

    shown = {
        "moved": ("moved", ",.0f"),
        "found_of_moved": ("found of it", ".1%"),
        "more_of_moved_than_product": ("against `product`", "+.1%"),
        "more_hits_where_traders_answer": ("all hits there", "+.1%"),
        "more_hits_where_none_answers": ("hits where none answers", "+.1%"),
    }
    lines = [f"| strategy | {' | '.join(title for title, _ in shown.values())} |", "| --- " * (len(shown) + 1) + "|"]
    for name, figures in told.items():
        # `product` is not compared with itself.
        cells = (
            "" if name == BEFORE and figure.startswith("more_") else cell(figures[figure], how)
            for figure, (_, how) in shown.items()
        )
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_of_chance(told: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what docs/rehearsal.md shows of chance: what a share costs, and how well it tells the rate of hits."""
    shares = {"random_0": "none", BEFORE: "1 %", "random_2": "2 %", "random_5": "5 %"}
    lines = [
        "| by chance | drawn in a year | hits where none answers | hits where traders answer | rate of hits known |"
    ]
    lines.append("| --- " * 5 + "|")
    for name, share in shares.items():
        figures, chance = told[name], told[name]["chance"]
        hits = (f"{figures[f'hits_where_{which}']['mean']:,.0f}" for which in ("none_answers", "traders_answer"))
        known = f"{100 * chance['rate']:.1f} %, give or take {100 * chance['off_by']:.1f} points" if chance else "no"
        lines.append(f"| {share} | {chance['drawn'] if chance else 0:,.0f} | {' | '.join(hits)} | {known} |")
    return "\n".join(lines)


def _chance(units: Mapping[Unit, Mapping[str, float]], strategy: str) -> dict[str, float] | None:
    """Return means over all replays of what chance drew: how many, their rate of hits, and half its interval's width.

    The interval is Wilson's of one year. None for a strategy that draws nothing by chance beside what it chooses.
    """
    drawn = [each for unit, each in units.items() if unit.strategy == strategy and each["random_inspected"]]
    if not drawn:
        return None

    def half(each: Mapping[str, float]) -> float:
        found = stats.binomtest(int(each["random_hits"]), int(each["random_inspected"]))
        interval = found.proportion_ci(worlds.CONFIDENCE, method="wilson")
        return (interval.high - interval.low) / 2

    return {
        "drawn": float(np.mean([each["random_inspected"] for each in drawn])),
        "rate": float(np.mean([each["random_hits"] / each["random_inspected"] for each in drawn])),
        "off_by": float(np.mean([half(each) for each in drawn])),
    }


def _told(units: Mapping[Unit, Mapping[str, float]], strategy: str) -> dict[str, Any]:
    """Return a strategy's means over worlds, and how it compares with the product's; shares are from 0 to 1."""

    def over(value: Callable[[Mapping[str, float]], float], answers: bool, name: str) -> list[float]:
        return [value(units[Unit(seed, answers, name)]) for seed in WORLDS]

    def share(of: str, over: str) -> Callable[[Mapping[str, float]], float]:
        return lambda unit: unit[of] / unit[over]

    def against(value: Callable[[Mapping[str, float]], float], answers: bool) -> dict[str, float]:
        if strategy == BEFORE:  # of differences that are all 0 there is no interval
            return {"mean": 0.0, "low": 0.0, "high": 0.0}
        pairs = zip(over(value, answers, strategy), over(value, answers, BEFORE), strict=True)
        return worlds.interval([mine / theirs - 1 for mine, theirs in pairs])

    def hits(unit: Mapping[str, float]) -> float:
        return unit["hits"]

    moved, worth = share("moved_hits", "moved_illicit"), share("moved_revenue", "moved_evaded")
    told: dict[str, Any] = {
        "hits_where_none_answers": worlds.interval(over(hits, False, strategy)),
        "hits_where_traders_answer": worlds.interval(over(hits, True, strategy)),
        "moved": worlds.interval(over(lambda unit: unit["moved_illicit"], True, strategy)),
        "found_of_moved": worlds.interval(over(moved, True, strategy)),
        "revenue_found_of_moved": worlds.interval(over(worth, True, strategy)),
        "found_of_illicit_where_traders_answer": worlds.interval(over(share("hits", "illicit"), True, strategy)),
        "more_of_moved_than_product": against(moved, True),
        "more_hits_where_traders_answer": against(hits, True),
        "more_hits_where_none_answers": against(hits, False),
    }
    gain, loss = (told[name]["mean"] for name in ("more_of_moved_than_product", "more_hits_where_none_answers"))
    return told | {"chance": _chance(units, strategy), "reaches_the_goal": gain >= GOAL_FOUND and loss >= -GOAL_LOST}


if __name__ == "__main__":
    main()
