"""What ways of learning from the same labels are worth, on worlds that are simulated for it, or on an ingested source.

    python benchmarks/learning.py            # five worlds that nobody has looked at before
    python benchmarks/learning.py kcs        # after `make run SOURCE=kcs INPUT=...`

Each way is tried with several seeds of training. Judged is what counts in the end, every declaration of the test window
against the truth, where there is one, and otherwise what was inspected of it. What the folds by time say, which need no
truth and come before the test window, is told beside it: by them a retraining chooses.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import measuring
import numpy as np
import polars as pl
import worlds
from sklearn.metrics import average_precision_score

from features.matrix.matrix import CATALOGUE
from models.policy import Policy, load
from models.training.fitting import train
from models.training.splits import Split
from models.training.tuning import AS_THEY_STAND, CODES, Tuning, search

WORLDS, ROWS, SEEDS = (201, 202, 203, 204, 205), 200_000, (1, 2, 3)
SHARE = 0.1
BEFORE = "categories"


@dataclass(frozen=True)
class Tried:
    """One way on one world or source: figures on the test window with each seed of training, and the folds' losses."""

    average_precision: tuple[float, ...]
    precision_at_10pct: tuple[float, ...]
    fold_losses: tuple[float, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", help="name of an ingested source; without it, worlds are simulated")
    parser.add_argument("--folder", type=Path, help="where worlds are kept for the next time")
    parser.add_argument("--rows", type=int, default=ROWS, help="of a world")
    asked, policy = parser.parse_args(), load()
    found: dict[str, dict[str, Tried]] = {}
    for name, split, judged in _sources(asked, policy):
        found[name] = {codes: _tried(split, judged, replace(AS_THEY_STAND, codes=codes), policy) for codes in CODES}
        for codes, tried in found[name].items():
            print(name, codes, np.mean(tried.average_precision), np.mean(tried.fold_losses), flush=True)
    told = {codes: _told([each[codes] for each in found.values()]) for codes in CODES}
    gains = {} if len(found) < 2 else {codes: _gains(found, codes) for codes in CODES if codes != BEFORE}
    measuring.save(
        f"learning-{asked.source or 'worlds'}",
        rows=asked.rows if asked.source is None else None,
        worlds=list(found),
        seeds=SEEDS,
        codes=told,
        gains=gains,
        by_world={name: {codes: vars(tried) for codes, tried in each.items()} for name, each in found.items()},
    )
    print(gains or told)


def _sources(asked: argparse.Namespace, policy: Policy) -> Iterator[tuple[str, Split, pl.DataFrame]]:
    if asked.source:
        _, _, split = measuring.ingested(asked.source, policy)
        yield asked.source, split, split.test.with_columns(is_hit="is_illicit")
        return
    with tempfile.TemporaryDirectory(prefix="tidewaiter-worlds-") as scratch:
        for seed in WORLDS:
            made = worlds.world(seed, asked.rows, (asked.folder or Path(scratch)) / str(seed), policy)
            yield str(seed), made.split, made.judged


def _tried(split: Split, judged: pl.DataFrame, tuning: Tuning, policy: Policy) -> Tried:
    is_hit = judged["is_hit"].to_numpy()
    figures = []
    for seed in SEEDS:
        training = policy.training.model_copy(update={"seed": seed})
        parts = split.train, split.validation, CATALOGUE, training, policy.targeting
        score = train(*parts, final_frame=split.before_test, tuning=tuning).predict(judged)["score"].to_numpy()
        first = np.argsort(-score, kind="stable")[: int(SHARE * len(score))]
        figures.append((float(average_precision_score(is_hit, score)), float(is_hit[first].mean())))
    delay = policy.features.label_delay_days
    losses = search(split.before_test, CATALOGUE, policy.training, 2, delay, tuning).losses[0]
    average_precision, precision = zip(*figures, strict=True)
    return Tried(average_precision, precision, losses)


def _told(tried: list[Tried]) -> dict[str, float]:
    """Return means over worlds and seeds, and how much seeds alone move average precision."""
    return {
        "average_precision": float(np.mean([each.average_precision for each in tried])),
        "precision_at_10pct": float(np.mean([each.precision_at_10pct for each in tried])),
        "fold_loss": float(np.mean([each.fold_losses for each in tried])),
        "deviation_over_seeds": float(np.mean([np.std(each.average_precision, ddof=1) for each in tried])),
    }


def _gains(found: dict[str, dict[str, Tried]], codes: str) -> dict[str, dict[str, float]]:
    """Return what a way gains over categories, world by world, with its interval over worlds."""

    def differences(figure: str) -> list[float]:
        return [
            float(np.mean(getattr(each[codes], figure)) - np.mean(getattr(each[BEFORE], figure)))
            for each in found.values()
        ]

    figures = ("average_precision", "precision_at_10pct", "fold_losses")
    return {figure: worlds.interval(differences(figure)) for figure in figures}


if __name__ == "__main__":
    main()
