"""What a bag of seeds costs: training, the model's files, scores, reasons and leaves, on one simulated world.

    python benchmarks/bagging_price.py --folder .tidewaiter/comparisons/worlds-200000/201

Costs are CPU time of all threads together: of several runs the middle one, and of training the only one. Scores are
those of the whole model for rows that are encoded. bagging.py says what a bag is worth, and window.py --bag 5 what a
decision costs with it.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, TypeVar

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks import measuring, worlds
from benchmarks.bagging import SIZES
from benchmarks.comparing import ROWS
from benchmarks.worlds import World
from features.matrix.matrix import CATALOGUE
from models.policy import Policy, load
from models.risk import RiskModel, boosting
from models.training import train

SEED, MANY, REPEATS = 201, 100_000, 9
FEW = (1, 100)
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="of the world, to keep it for the next time")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the world")
    asked, policy = parser.parse_args(), load()
    with TemporaryDirectory(prefix="tidewaiter-bench-") as scratch:
        world = worlds.world(SEED, asked.rows, asked.folder or Path(scratch) / "world", policy)
        found = {size: priced(world, size, policy, Path(scratch) / str(size)) for size in SIZES}
    measuring.save("bagging-price", ("polars", "numpy", "numba", "lightgbm"), world=SEED, rows=asked.rows, bags=found)
    table = Table("", *(f"bag of {size}" for size in SIZES), title=f"world {SEED}, {asked.rows:,} declarations")
    for what in found[SIZES[0]]:
        table.add_row(what, *(f"{found[size][what]:,.2f}" for size in SIZES))
    Console().print(table)


def priced(world: World, size: int, policy: Policy, folder: Path) -> dict[str, Any]:
    training = policy.training.model_copy(update={"bag": size})
    learned = world.split.train, world.split.validation, CATALOGUE, training, policy.targeting
    model, trained = _cost(lambda: train(*learned, final_frame=world.split.before_test))
    model.save(folder)
    times = -(-MANY // world.judged.height)
    rows = pl.concat([world.judged] * times)[:MANY]
    matrix = model.encoder.encode(rows)
    costs = {
        "training, seconds": trained / 1000,
        "trees of P(illicit)": model.training.trees,
        "files, MB": sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
        "loading, ms": _usual(lambda: RiskModel.load(folder)),
    }
    for count in (*FEW, MANY):
        costs[f"scores of {count:,}, ms"] = _usual(lambda count=count: model.predict(rows[:count], matrix[:count]))
    for count in FEW:
        given = matrix[:count]
        costs[f"contributions of {count}, ms"] = _usual(
            lambda given=given: boosting.contributions(model.illicit, given)
        )
    costs[f"leaves of {FEW[-1]}, ms"] = _usual(lambda: boosting.leaves(model.illicit, matrix[: FEW[-1]]))
    return costs


def _usual(work: Callable[[], object]) -> float:
    work()
    return median(_cost(work)[1] for _ in range(REPEATS))


def _cost(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return what `work` returns, and CPU milliseconds of it."""
    before = process_time()
    found = work()
    return found, (process_time() - before) * 1000


if __name__ == "__main__":
    main()
