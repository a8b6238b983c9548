"""What one declaration costs in the morning, by family, beside its share of a night, and what making a morning costs.

Run by `make bench`. The store is simulated; the morning is that of its last full day, whose declarations are asked
about one by one, as traders wait for them. Their features must be those of the night, bit for bit. Costs are CPU time
of all threads together. Waiting for other programs does not change it, but sharing a core with them does. Each stage
runs in a process of its own, with kernels that are already compiled. Compare figures only within one run.
"""

import argparse
import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import measuring
import numpy as np
import polars as pl
import psutil
from polars.testing import assert_frame_equal
from rich.console import Console
from rich.table import Table

from features.contract import schema
from features.families import FAMILIES
from features.history.change_index import number
from features.history.history import History
from features.ingestion.batches import ingest
from features.matrix import cache
from features.matrix.matrix import CATALOGUE, compute
from features.matrix.morning import Morning
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from models.policy import load

ASKED = "asked.parquet"  # features of the declarations that were asked about one by one
ROUNDS = 3  # so many times every declaration of the day is asked about; the first time is not counted


def prepare(folder: Path, rows: int) -> dict[str, Any]:
    """Make the store, read and settled as the night before leaves it, and compile the kernels."""
    ingest(
        SimulatorSource(Parameters(rows=rows), folder / "simulated"),
        _store(folder),
        load().ingestion,
    )
    cache.past(_store(folder), _delay(), folder / "cache")
    _morning(folder)
    return {}


def night(folder: Path, rows: int) -> dict[str, Any]:
    """Return CPU ms a declaration for the last year's declarations at once and for the day's alone, as nights do it."""
    past, facts = _cpu(lambda: cache.past(_store(folder), _delay(), folder / "cache"))
    known, more = _cpu(past.latest)
    history = History(known, past.settled)
    ms = {"rows and facts": facts + more}
    for family in FAMILIES:
        _, ms[family.NAME] = _cpu(lambda family=family: family.compute(history))
    of_day, alone = _cpu(lambda: compute(history.asked_on([number(_day(folder))])))
    assert_frame_equal(pl.read_parquet(folder / ASKED), of_day, check_exact=True, check_row_order=False)
    return {
        "ms": {part: seconds * 1000 / history.rows.height for part, seconds in ms.items()},
        "declarations": history.rows.height,
        "one_day_ms": (facts + more + alone) * 1000 / of_day.height,
    }


def made(folder: Path, rows: int) -> dict[str, Any]:
    """Return the cost of making the morning of a store whose journal is up to date."""
    shutil.rmtree(folder / "cache" / "mornings")
    return _costs(folder)


def found(folder: Path, rows: int) -> dict[str, Any]:
    """Return the cost of having the morning if another process has made it."""
    return _costs(folder)


def asked(folder: Path, rows: int) -> dict[str, Any]:
    """Return CPU ms of each of the day's declarations by itself, by family and in total."""
    store, day, morning = _store(folder), _day(folder), _morning(folder)
    day_rows = store.scan_days("declarations", [day]).select(schema("declarations").names()).collect()
    each = [day_rows[row] for row in range(day_rows.height)]
    parts: dict[str, list[float]] = {"rows and facts": [], **{family.NAME: [] for family in FAMILIES}}
    whole: list[float] = []
    for turn in range(ROUNDS):
        for declaration in each:
            _, seconds = _cpu(lambda declaration=declaration: morning.features(declaration))
            history, own = _cpu(lambda declaration=declaration: morning.history(declaration))
            times = [own, *(_cpu(lambda f=family, h=history: f.compute(h))[1] for family in FAMILIES)]
            if turn:
                whole.append(seconds * 1000)
                for part, of_part in zip(parts.values(), times, strict=True):
                    part.append(of_part * 1000)
    pl.concat([morning.features(declaration) for declaration in each]).write_parquet(folder / ASKED)
    return {
        "declarations": len(each),
        "features": len(CATALOGUE),
        "ms": {name: float(np.mean(times)) for name, times in parts.items()},
        "total_ms": float(np.mean(whole)),
        "total_ms_median": float(np.median(whole)),
        "total_ms_95": float(np.quantile(whole, 0.95)),
    }


STAGES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "prepare": prepare,
    "made": made,
    "found": found,
    "asked": asked,
    "night": night,  # also checks that `asked` gave the same features
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        print(json.dumps(STAGES[given.stage](given.folder, given.rows)))
        return
    results = measuring.staged(__file__, STAGES, given.rows)
    del results["prepare"]
    _print(Console(), results, given.rows)
    measuring.save("morning", ("polars", "numpy", "numba"), rows=given.rows, **results)


def _print(console: Console, results: dict[str, Any], rows: int) -> None:
    one, of_night = results["asked"], results["night"]
    table = Table(
        "CPU ms a declaration",
        f"one by one, {one['declarations']} of a day",
        f"at night, {of_night['declarations']:,} at once",
        title=f"{one['features']} features, {rows:,} declarations in the store",
    )
    for part, ms in one["ms"].items():
        table.add_row(part, f"{ms:.2f}", f"{of_night['ms'][part]:.3f}")
    table.add_row("all", f"{one['total_ms']:.2f}", f"{sum(of_night['ms'].values()):.3f}")
    console.print(table)
    console.print(
        f"of 95 % at most {one['total_ms_95']:.2f} ms, median {one['total_ms_median']:.2f} ms; "
        f"a night of that day alone takes {of_night['one_day_ms']:.1f} ms a declaration"
    )
    table = Table("a morning", "CPU s", "seconds", "held MB", "peak MB", "on disk MB")
    for how in ("made", "found"):
        table.add_row(how, *(f"{value:,.1f}" for value in results[how].values()))
    console.print(table)


def _costs(folder: Path) -> dict[str, float]:
    """Return CPU and seconds to have the morning, the memory that it holds in addition, and the size of its files."""
    before, started = _resident_mb(), perf_counter()
    morning, cpu = _cpu(lambda: _morning(folder))
    seconds = perf_counter() - started
    held = _resident_mb() - before
    block = folder / "cache" / "mornings" / f"{morning.day}-{morning.digest}"
    return {
        "cpu_seconds": cpu,
        "seconds": seconds,
        "held_mb": held,
        "peak_mb": measuring.peak_mb(),
        "disk_mb": sum(file.stat().st_size for file in block.iterdir()) / 2**20,
    }


def _cpu(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of `work`, and the CPU seconds that it took."""
    started = process_time()
    given = work()
    return given, process_time() - started


def _resident_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


def _store(folder: Path) -> Store:
    return Store(folder / "data")


def _day(folder: Path) -> date:
    """Return the last full day; the archive ends a week later."""
    return _store(folder).days()[-1] - timedelta(days=7)


def _morning(folder: Path) -> Morning:
    return Morning.of(_store(folder), _delay(), folder / "cache", _day(folder))


def _delay() -> int:
    return load().features.label_delay_days


if __name__ == "__main__":
    main()
