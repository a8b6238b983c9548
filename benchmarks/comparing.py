"""Comparisons of ways to score declarations: over worlds, seeds of training, and rows.

One model on one world says little: another seed of training moves average precision by as much as many improvements do,
another world by more. So each way scores every world, trained with several seeds, and is held against one way, the
base. A difference is taken within a world, on the same rows, and averaged over seeds. It has two intervals: Student's t
over worlds says what to expect of a world that nobody has looked at; the paired bootstrap redraws the rows of these
worlds. An ingested source is a single world, so it has the second one alone.

Each figure of a world, way and seed is kept as soon as it is there, and a comparison that was stopped goes on.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any
from zlib import crc32

import numpy as np

from benchmarks import kept, measuring, worlds
from benchmarks.worlds import WORLDS, World
from features.arrays import Flags, Floats
from features.families import Feature
from models.metrics import Measures, Sample, Scores, bootstrap, ranking
from models.policy import Policy, load
from models.training.fitting import train
from models.training.tuning import AS_THEY_STAND, Tuning

ROWS, SEEDS = 200_000, (1, 2, 3)
SHARES, RESAMPLES = (0.01, 0.02, 0.05, 0.1), 500
ALLOWED = ranking.OVERALL + tuple(
    ranking.at_share(name, share, by) for by in ("score", "priority") for share in SHARES for name in ranking.AT_SHARE
)
# What a way of learning is usually judged by, and what a table calls it.
FIGURES = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "precision_at_10pct_by_score": "precision at 10 %",
    "revenue_at_10pct_by_priority": "revenue at 10 %",
}

Way = Callable[[World, int], Scores]  # from a world and a seed of training to scores of the judged rows
Slices = Mapping[str, tuple[Flags, Flags]]  # by name: which of the judged rows are in it, and which of all are hits


def whole(world: World) -> Slices:
    """Return one slice: all judged rows."""
    return {"all": (np.ones(world.judged.height, np.bool_), world.judged["is_hit"].to_numpy())}


@dataclass(frozen=True)
class Comparison:
    """Ways by name, the name of the one that others are held against, and by which figures of which rows.

    `figures` gives names of models/metrics/ranking.py and what a table calls them. ValueError names an unknown one.
    `beside` tells figures that do not come from the judged rows, by what a table calls them: each is computed from the
    name of a way, a world and a seed, and has no interval over rows.
    """

    name: str
    ways: Mapping[str, Way]
    base: str
    figures: Mapping[str, str]
    slices: Callable[[World], Slices] = whole
    _: KW_ONLY
    beside: Mapping[str, Callable[[str, World, int], float]] = field(default_factory=dict)
    libraries: tuple[str, ...] = measuring.LIBRARIES

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.figures) - set(ALLOWED)):
            raise ValueError(f"figure {unknown[0]!r} does not exist; allowed: {', '.join(ALLOWED)}")

    @property
    def heads(self) -> dict[str, str]:
        """Return the names of all figures and what a table calls them."""
        return {**self.figures, **{name: name for name in self.beside}}


def trees(features: Sequence[Feature], policy: Policy, tuning: Tuning = AS_THEY_STAND) -> Way:
    """Return the way of a retraining, with these features and this tuning."""

    def scores(world: World, seed: int) -> Scores:
        parts = world.split.train, world.split.validation, features
        training = policy.training.model_copy(update={"seed": seed})
        model = train(*parts, training, policy.targeting, final_frame=world.split.before_test, tuning=tuning)
        found = model.predict(world.judged)
        return Scores(found["score"].to_numpy(), found["priority"].to_numpy())

    return scores


def main(says: str | None, comparison: Comparison) -> None:
    """Run a comparison as its command line says: write benchmarks/results/<name>-<where>.json, and print the table."""
    parser = argparse.ArgumentParser(description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", help="name of an ingested source; without it, worlds are simulated")
    parser.add_argument("--worlds", nargs="+", type=int, default=WORLDS, help="seeds of simulated worlds")
    parser.add_argument("--rows", type=int, default=ROWS, help="of a simulated world")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="of training")
    parser.add_argument("--folder", type=Path, default=kept.FOLDER, help="where worlds and figures are kept")
    asked, policy = parser.parse_args(), load()
    folder: Path = asked.folder
    if asked.source:
        opened = {asked.source: partial(worlds.ingested, asked.source, policy)}
        where = asked.source
    else:
        made = folder / f"worlds-{asked.rows}"
        opened = {str(seed): partial(worlds.world, seed, asked.rows, made / str(seed), policy) for seed in asked.worlds}
        where = f"worlds-{asked.rows}"
    found = run(comparison, opened, asked.seeds, folder / f"{comparison.name}-{where}.jsonl")
    told = compared(comparison, found)
    rows = None if asked.source else asked.rows
    name = f"{comparison.name}-{asked.source or 'worlds'}"
    measuring.save(name, comparison.libraries, rows=rows, **told)
    print(table(comparison, told))


def run(
    comparison: Comparison, opened: Mapping[str, Callable[[], World]], seeds: Iterable[int], file: Path
) -> list[kept.Found]:
    """Return the figures of each world, way and seed; those that are kept in `file` are not computed again."""
    asked = [(world, way, seed) for world in opened for seed in seeds for way in comparison.ways]
    found = {_place(each): each for each in kept.read(file)}
    commit = kept.commit()  # of the code that is loaded now, whatever is committed while it runs
    with kept.adding(file) as add:
        for name, open_world in opened.items():
            missing = [place for place in asked if place[0] == name and place not in found]
            world = open_world() if missing else None
            for place in missing:
                found[place] = {"commit": commit, **_tried(comparison, world, *place[1:])}
                add(found[place])
                print(*place, found[place]["seconds"], flush=True)
    return [found[place] for place in asked]


def _place(found: kept.Found) -> tuple[str, str, int]:
    return found["world"], found["way"], found["seed"]


def _tried(comparison: Comparison, world: World, way: str, seed: int) -> kept.Found:
    started = perf_counter()
    scores = comparison.ways[way](world, seed)
    line = {"world": world.name, "way": way, "seed": seed, "seconds": round(perf_counter() - started, 1)}
    beside = {name: {"value": figure(way, world, seed), "drawn": []} for name, figure in comparison.beside.items()}
    slices = _figures(comparison, world, scores)
    return line | {"slices": {name: {**figures, **beside} for name, figures in slices.items()}}


def _figures(comparison: Comparison, world: World, scores: Scores) -> dict[str, Any]:
    """Return by slice its rows, its hits, and the value of each figure with those of the resamples.

    Resamples depend on the world and the slice alone, so those of two ways are the same: a paired bootstrap.
    """
    revenue, seed = world.judged["revenue"].to_numpy(), crc32(world.name.encode())
    told = {}
    for name, (rows, is_hit) in comparison.slices(world).items():
        sample = Sample(is_hit[rows], np.where(is_hit, revenue, 0.0)[rows])
        priority = None if scores.priority is None else scores.priority[rows]
        measures = Measures(sample, Scores(scores.score[rows], priority), SHARES)
        values = measures(sample.ones)[0]
        drawn = bootstrap.draw({name: measures}, len(sample.is_hit), RESAMPLES, seed)[name]
        places = {figure: measures.names.index(figure) for figure in comparison.figures}
        told[name] = {"rows": len(sample.is_hit), "hits": int(sample.is_hit.sum())} | {
            figure: {"value": float(values[at]), "drawn": drawn[:, at].round(7).tolist()}
            for figure, at in places.items()
        }
    return told


def compared(comparison: Comparison, found: Sequence[kept.Found]) -> dict[str, Any]:
    """Return what was compared, as one document: by slice and figure, each way with its difference to the base.

    A figure that rows do not define, as where there is no hit, is null in its world, which then counts for no mean.
    """
    names = list(dict.fromkeys(each["world"] for each in found))
    by_place = {_place(each): each for each in found}
    seeds = list(dict.fromkeys(each["seed"] for each in found))

    def of(way: str, world: str, slice_: str, figure: str) -> tuple[Floats, Floats]:
        told = [by_place[world, way, seed]["slices"][slice_][figure] for seed in seeds]
        return np.array([each["value"] for each in told]), np.mean([each["drawn"] for each in told], axis=0)

    slices = {}
    for slice_ in found[0]["slices"]:
        first = {world: by_place[world, comparison.base, seeds[0]]["slices"][slice_] for world in names}
        slices[slice_] = {count: {world: first[world][count] for world in names} for count in ("rows", "hits")}
        slices[slice_]["figures"] = {
            figure: {
                way: _told(
                    {world: of(way, world, slice_, figure) for world in names},
                    {world: of(comparison.base, world, slice_, figure) for world in names},
                )
                for way in comparison.ways
            }
            for figure in comparison.heads
        }
    return {
        "commits": sorted({each["commit"] for each in found}),
        "worlds": names,
        "seeds": seeds,
        "base": comparison.base,
        "resamples": RESAMPLES,
        "seconds": {
            way: float(np.mean([each["seconds"] for each in found if each["way"] == way])) for way in comparison.ways
        },
        "slices": slices,
    }


def _told(way: Mapping[str, tuple[Floats, Floats]], base: Mapping[str, tuple[Floats, Floats]]) -> dict[str, Any]:
    """Return a way's figure: by world its values by seed and the difference to the base, and both over all worlds."""
    defined = [world for world in way if not np.isnan(way[world][0]).any()]
    by_world, gains, drawn = {}, [], []
    for world in way:
        if world not in defined:
            by_world[world] = None
            continue
        (values, resamples), (base_values, base_resamples) = way[world], base[world]
        gains.append(float(np.mean(values) - np.mean(base_values)))
        drawn.append(resamples - base_resamples)
        by_world[world] = {"by_seed": values.tolist(), "difference": gains[-1], "over_rows": _bounds(drawn[-1])}
    seeds_deviate = [np.std(way[world][0], ddof=1) for world in defined if len(way[world][0]) > 1]
    return {
        "mean": float(np.mean([way[world][0] for world in defined])) if defined else None,
        "deviation_over_seeds": float(np.mean(seeds_deviate)) if seeds_deviate else None,
        "difference": float(np.mean(gains)) if gains else None,
        "over_worlds": _ends(worlds.interval(gains)) if len(gains) > 1 else None,
        "over_rows": _bounds(np.mean(drawn, axis=0)) if drawn else None,
        "by_world": by_world,
    }


def _ends(interval: Mapping[str, float]) -> list[float]:
    return [interval["low"], interval["high"]]


def _bounds(drawn: Floats) -> list[float] | None:
    """Return the ends of the bootstrap's interval; resamples in which the figure is not defined are left out."""
    drawn = drawn[~np.isnan(drawn)]
    tail = (1 - worlds.CONFIDENCE) / 2
    return np.quantile(drawn, [tail, 1 - tail]).tolist() if len(drawn) else None


def table(comparison: Comparison, told: Mapping[str, Any]) -> str:
    """Return a Markdown table of `compared`, a line for each way on each slice, under a sentence that explains it."""
    heads = ("declarations", "way", *comparison.heads.values())
    lines = [_says(told), "", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for name, slice_ in told["slices"].items():
        rows, hits = (sum(slice_[count].values()) for count in ("rows", "hits"))
        for way in comparison.ways:
            cells = [_cell(slice_["figures"][figure][way], way == told["base"], told) for figure in comparison.heads]
            label = f"{name}: {rows:,}, {hits:,} hits" if way == told["base"] else ""
            lines.append(f"| {' | '.join((label, way, *cells))} |")
    return "\n".join(lines)


def _says(told: Mapping[str, Any]) -> str:
    many, seeds = len(told["worlds"]), len(told["seeds"])
    trained = f"{seeds} seed{'s' if seeds > 1 else ''} of training"
    rows = f"{100 * worlds.CONFIDENCE:.0f} % by a paired bootstrap of the rows"
    several = len(told["commits"])
    mixed = f" They are of {several} commits, so not all of the same code." if several > 1 else ""
    if many == 1:
        alone = "There is no interval over worlds, because this is a single one."
        return f"{told['worlds'][0]}, {trained}; differences to {told['base']!r}, {rows}. {alone}{mixed}"
    names = ", ".join(told["worlds"])
    return (
        f"{many} worlds ({names}), {trained} in each; differences to {told['base']!r}, "
        f"{100 * worlds.CONFIDENCE:.0f} % by Student's t over worlds; {rows}.{mixed}"
    )


def _cell(figure: Mapping[str, Any], is_base: bool, told: Mapping[str, Any]) -> str:
    if figure["mean"] is None:
        return "not defined"
    defined = sum(world is not None for world in figure["by_world"].values())
    some = f", {defined} worlds" if defined < len(told["worlds"]) else ""
    if is_base:
        return f"{figure['mean']:.3f}{some and f' ({some[2:]})'}"
    intervals = [_interval(figure["over_worlds"])] if len(told["worlds"]) > 1 else []
    return f"{figure['difference']:+.3f} ({'; '.join([*intervals, _interval(figure['over_rows'])])}{some})"


def _interval(ends: Sequence[float] | None) -> str:
    return "no interval" if ends is None else worlds.between(*ends, "+.3f")
