"""Rows per second and peak memory of every stage of a retraining at two sizes, and the time that LightGBM takes of it.

Run by `make bench`. Each stage runs in a process of its own, so that its peak memory is its own. It reads what it needs
from the disk, and that reading is not counted. Figures are of this machine and this moment: compare only within one
run. `--rows` picks the sizes.
"""

import argparse
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import measuring
from rich.console import Console
from rich.table import Table

SIZES = (54_000, 1_000_000)
ONCE = ("features again", "features, one new day")  # not part of a first retraining


def simulate(folder: Path, rows: int) -> Callable[[], int]:
    from features.sources.simulator import write

    source = _source(folder, rows)
    return lambda: rows if write(source) else 0


def ingest(folder: Path, rows: int) -> Callable[[], int]:
    from features.ingestion.batches import ingest as run
    from models.policy import load

    limits = load().ingestion
    return lambda: run(_source(folder, rows), _store(folder), limits).rows_in


def version(folder: Path, rows: int) -> Callable[[], int]:
    from features.store import versioning

    def run() -> int:
        versioning.snapshot(folder / "data")
        return rows

    return run


def features(folder: Path, rows: int) -> Callable[[], int]:
    from features.matrix import cache

    return lambda: cache.build(_store(folder), _delay(), folder / "cache").computed_rows


def features_again(folder: Path, rows: int) -> Callable[[], int]:
    from features.matrix import cache

    def run() -> int:
        assert cache.build(_store(folder), _delay(), folder / "cache").computed_days == 0
        return rows

    return run


def features_one_new_day(folder: Path, rows: int) -> Callable[[], int]:
    from features.matrix import cache

    # The last full day of the archive, as if it had just arrived.
    last = _store(folder).days()[-1] - timedelta(days=7)
    for part in (folder / "cache").glob(f"{last.isoformat()}-*.parquet"):
        part.unlink()
    return lambda: cache.build(_store(folder), _delay(), folder / "cache").computed_rows


def tune(folder: Path, rows: int) -> Callable[[], int]:
    from features.matrix.matrix import CATALOGUE
    from models.policy import load
    from models.training.tuning import AS_THEY_STAND, search

    split, _ = _split(folder)
    training = load().training

    def search_on() -> int:
        search(split.before_test, CATALOGUE, training, training.search.trials, _delay(), AS_THEY_STAND, "benchmark")
        return split.before_test.height

    return search_on


def train(folder: Path, rows: int) -> Callable[[], int]:
    from features.matrix.matrix import CATALOGUE
    from models.policy import load
    from models.training.fitting import train as run

    split, _ = _split(folder)
    policy = load()

    def learn() -> int:
        parts = split.train, split.validation, CATALOGUE, policy.training, policy.targeting
        run(*parts, final_frame=split.before_test).save(folder / "model")
        return split.train.height

    return learn


def score(folder: Path, rows: int) -> Callable[[], int]:
    from models.risk.risk_model import RiskModel
    from models.training.splits import accepted_between

    split, dataset = _split(folder)
    model, window = RiskModel.load(folder / "model"), accepted_between(dataset, split.windows["test"])
    return lambda: model.predict(window).height


def evaluate(folder: Path, rows: int) -> Callable[[], int]:
    from features.matrix.matrix import CATALOGUE
    from models.dossier import assessment
    from models.policy import load
    from models.risk.risk_model import RiskModel

    split, dataset = _split(folder)
    model, truth = RiskModel.load(folder / "model"), _store(folder).scan("truth").collect()
    return lambda: (
        assessment.measure(model, split, dataset, CATALOGUE, load(), None, truth, folder / "evidence").evaluation.rows
    )


def drift(folder: Path, rows: int) -> Callable[[], int]:
    from models.dossier import assessment
    from models.monitoring.drift_result import Quality
    from models.policy import load
    from models.risk.risk_model import RiskModel

    _, dataset = _split(folder)
    model = RiskModel.load(folder / "model")
    nothing = Quality(rows=0, hits=0, precision_at_10pct=None, roc_auc=None, brier=None)

    def run() -> int:
        found = assessment.watch(dataset, model, nothing, load(), folder / "drift.html")
        return found.reference.rows + found.current.rows

    return run


STAGES: dict[str, Callable[[Path, int], Callable[[], int]]] = {
    "simulate": simulate,
    "ingest and validate": ingest,
    "version": version,
    "features": features,
    "features again": features_again,
    "features, one new day": features_one_new_day,
    "tune": tune,
    "train": train,
    "score": score,
    "evaluate": evaluate,
    "drift": drift,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=SIZES)
    arguments.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.stage:
        in_lightgbm = _watched()
        found = measuring.timed(STAGES[given.stage](given.folder, given.rows[0]))
        print(json.dumps(found | {"lightgbm_seconds": sum(in_lightgbm)}))
        return
    console = Console()
    measuring.save("stages", stages={rows: _measure(rows, console) for rows in given.rows})


def _watched() -> list[float]:
    """Return a list that grows by the seconds of each training in LightGBM's own code, including its binning."""
    import lightgbm

    seconds: list[float] = []
    train = lightgbm.train

    def timed(*arguments: Any, **given: Any) -> lightgbm.Booster:
        started = perf_counter()
        booster = train(*arguments, **given)
        seconds.append(perf_counter() - started)
        return booster

    lightgbm.train = timed
    return seconds


def _measure(rows: int, console: Console) -> dict[str, dict[str, float]]:
    results = measuring.staged(__file__, STAGES, rows)
    table = Table(
        "stage",
        "rows",
        "seconds",
        "LightGBM",
        "rows/s",
        "peak MB",
        title=f"{rows:,} declarations",
        title_justify="left",
    )
    for stage, figures in results.items():
        table.add_row(
            stage,
            f"{figures['rows']:,.0f}",
            f"{figures['seconds']:.1f}",
            f"{figures['lightgbm_seconds']:.1f}",
            f"{figures['rows'] / figures['seconds']:,.0f}",
            f"{figures['peak_mb']:,.0f}",
        )
    console.print(table)
    flow = [figures for stage, figures in results.items() if stage not in ("simulate", *ONCE)]
    seconds, in_lightgbm = (sum(each[name] for each in flow) for name in ("seconds", "lightgbm_seconds"))
    console.print(f"LightGBM: {100 * in_lightgbm / seconds:.0f} % of {seconds:.0f} s\n")
    return results


def _source(folder: Path, rows: int):
    from features.simulator import Parameters
    from features.sources.simulator import SimulatorSource

    return SimulatorSource(Parameters(rows=rows), folder / "simulated")


def _store(folder: Path):
    from features.store.store import Store

    return Store(folder / "data" / "simulator")


def _delay() -> int:
    from models.policy import load

    return load().features.label_delay_days


def _split(folder: Path):
    from features.matrix import cache
    from models.policy import load
    from models.training.splits import split_by_time

    store = _store(folder)
    built = cache.build(store, _delay(), folder / "cache")
    dataset = cache.dataset(store, built, _delay(), cache.last_known_day(store, _delay()))
    return split_by_time(dataset, load().training, _delay()), dataset


if __name__ == "__main__":
    main()
