"""A large administration on this machine: nights against the length of the history, and a retraining on ten million.

Run by `make bench-large`; it takes about an hour, 12 GB of memory and 40 GB of disk. Raw files of 870,000 declarations
a month are simulated, which is not counted. The simulator holds a world in memory, so several worlds make a month. Then
one store grows. At each length of the history, two weeks of 200,000 declarations arrive one after the other: they are
ingested and validated, their features are computed, and they are scored. At `RETRAIN_AT` months `tidewaiter retrain`
makes a challenger from all that is stored. Each step runs in a process of its own, so that its peak memory is its own.
Compare figures only within one run.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import measuring
import polars as pl
from rich.console import Console
from rich.table import Table

A_MONTH, WORLDS, START = 870_000, 5, date(2022, 1, 1)
LENGTHS = (2, 6, 12, 23)  # months of history: about 2, 5, 10 and 20 million
RETRAIN_AT = 12
WEEK_DAYS = 7
PARTIES = ("importer_id", "seller_id", "declarant_id", "courier_id")


@dataclass(frozen=True)
class Files:
    """A source of the simulator's files, wherever they lie."""

    months: tuple[Path, ...]
    name: str = "simulator"

    def batches(self) -> Iterator:
        from features import contract
        from features.sources.simulator import SimulatedBatch

        for month in self.months:
            for table in contract.TABLES:
                path = month / f"{table}-{month.name}.parquet"
                if path.exists():
                    yield SimulatedBatch(path, table)


def world(folder: Path, a_month: int, months: int, number: int) -> int:
    from features.simulator import Parameters
    from features.sources.simulator import SimulatorSource, write

    rows = a_month * months // WORLDS
    given = Parameters(rows=rows, months=months, start=START, seed=1 + number)
    write(SimulatorSource(given, folder / "worlds" / str(number)))
    return rows


def merge(folder: Path, a_month: int, months: int, number: int) -> int:
    """Make one file of each month's files of all worlds; nobody in it is the same as anybody of another world."""
    from features import contract

    names = sorted(path.name for path in next((folder / "worlds" / "0").iterdir()).iterdir())
    for month in names:
        (folder / "raw" / month).mkdir(parents=True)
        for table in contract.TABLES:
            parts = []
            for place in sorted((folder / "worlds").iterdir()):
                rows = pl.scan_parquet(next(place.iterdir()) / month / f"{table}-{month}.parquet")
                own = [name for name in ("declaration_id", *PARTIES) if name in rows.collect_schema()]
                parts.append(rows.with_columns(pl.concat_str(pl.col(name), pl.lit(place.name)) for name in own))
            together = pl.concat(parts).sort("accepted_at", "declaration_id", "item_number")
            together.sink_parquet(folder / "raw" / month / f"{table}-{month}.parquet", row_group_size=100_000)
    shutil.rmtree(folder / "worlds")
    return len(names)


def ingest(folder: Path, a_month: int, months: int, number: int) -> int:
    """Ingest what is not ingested yet of the first `months` months; what came week by week is recognised."""
    return _ingest(folder, tuple(sorted((folder / "raw").iterdir())[:months]))


def history(folder: Path, a_month: int, months: int, number: int) -> int:
    from features.matrix import cache

    return cache.build(_store(folder), _delay(), _cache(folder)).computed_rows


def model(folder: Path, a_month: int, months: int, number: int) -> int:
    from features.matrix import cache
    from features.matrix.matrix import CATALOGUE
    from models.policy import load
    from models.training.fitting import train
    from models.training.splits import split_by_time

    store, policy = _store(folder), load()
    built = cache.build(store, _delay(), _cache(folder))
    split = split_by_time(
        cache.dataset(store, built, _delay(), cache.last_known_day(store, _delay())), policy.training, _delay()
    )
    parts = split.train, split.validation, CATALOGUE, policy.training, policy.targeting
    train(*parts, final_frame=split.before_test).save(folder / "model")
    return split.before_test.height


def arrive(folder: Path, a_month: int, months: int, number: int) -> int:
    """Write the files of week `number` after the first `months` months."""
    following, (first, last) = sorted((folder / "raw").iterdir())[months], _week(folder, months, number)
    arrived = folder / "weeks" / first.isoformat()
    arrived.mkdir(parents=True)
    for table, day in (("declarations", pl.coalesce("recorded_at", "accepted_at")), ("outcomes", pl.col("known_at"))):
        rows = pl.scan_parquet(following / f"{table}-{following.name}.parquet")
        known = rows.filter(pl.col("accepted_at").dt.date() <= last, day.dt.date().is_between(first, last))
        known.sink_parquet(arrived / f"{table}-{arrived.name}.parquet", row_group_size=100_000)
    return 0


def ingest_week(folder: Path, a_month: int, months: int, number: int) -> int:
    return _ingest(folder, (folder / "weeks" / _week(folder, months, number)[0].isoformat(),))


def score(folder: Path, a_month: int, months: int, number: int) -> int:
    from features.matrix import cache
    from models.risk.risk_model import RiskModel
    from models.training.splits import accepted_between

    store = _store(folder)
    built = cache.build(store, _delay(), _cache(folder))
    dataset = cache.dataset(store, built, _delay(), cache.last_known_day(store, _delay()))
    rows = accepted_between(dataset, _week(folder, months, number))
    return RiskModel.load(folder / "model").predict(rows).height


STEPS = {
    "world": world,
    "merge": merge,
    "ingest": ingest,
    "history": history,
    "model": model,
    "arrive": arrive,
    "ingest week": ingest_week,
    "score": score,
}
OF_A_WEEK = ("ingest week", "history", "score")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a-month", type=int, default=A_MONTH, help="declarations")
    parser.add_argument("--folder", type=Path, help="where to work; raw files that are there are used again")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--months", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        work = STEPS[given.step]
        done = measuring.timed(lambda: work(given.folder, given.a_month, given.months, given.number))
        print(json.dumps(done))
        return
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as temporary:
        _measure(given.folder or Path(temporary), given.a_month, Console())


def _measure(folder: Path, a_month: int, console: Console) -> None:
    def step(name: str, months: int, number: int = 0) -> dict[str, float]:
        console.print(f"{months} months: {name}")
        sizes = ["--a-month", a_month, "--months", months, "--number", number]
        return measuring.apart(__file__, "--step", name, "--folder", folder, *sizes)

    if not (folder / "raw").exists():
        for number in range(WORLDS):
            step("world", LENGTHS[-1] + 1, number)
        step("merge", LENGTHS[-1] + 1)
    grown, weeks, retrained = [], [], {}
    for before, months in pairwise((0, *LENGTHS)):
        found = {"months": months, "new_months": months - before}
        grown.append(found | {name: step(name, months) for name in ("ingest", "history")})
        if not (folder / "model").exists():
            grown[-1]["model"] = step("model", months)
        if months == RETRAIN_AT:
            console.print(f"{months} months: retrain")
            retrained = {"declarations": _declarations(folder), **_retrain(folder)}
        for number in (0, 1):
            size = _declarations(folder)
            step("arrive", months, number)
            steps = {name: step(name, months, number) for name in OF_A_WEEK}
            weeks.append({"months": months, "declarations": size, **steps})
        measuring.save("large", a_month=a_month, grown=grown, weeks=weeks, retrained=retrained)
    _show(console, grown, weeks, retrained)


def _retrain(folder: Path) -> dict[str, object]:
    """Run `tidewaiter retrain` on what is stored, and return the seconds of its stages and its peak memory."""
    command = [str(Path(sys.executable).with_name("tidewaiter")), "retrain", "--source", "files"]
    log = folder / "retrain.log"
    began = perf_counter()
    with log.open("w") as file:
        run = subprocess.Popen(command, cwd=folder, stderr=file)
        _, status, usage = os.wait4(run.pid, 0)  # for this process alone, unlike getrusage
    seconds, said = perf_counter() - began, log.read_text()
    if status:
        raise RuntimeError(f"{' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}\n{said}")
    stages = {name: float(took) for name, took in re.findall(r"^(.+): ([\d.]+) s$", said, re.MULTILINE)}
    return {"seconds": seconds, "stages": stages, "peak_mb": usage.ru_maxrss / 2**10}


def _show(console: Console, grown: list, weeks: list, retrained: dict) -> None:
    table = Table(
        "months", "step", "rows", "seconds", "rows/s", "peak MB", title="The store grows", title_justify="left"
    )
    for found in grown:
        for name in ("ingest", "history", "model"):
            if name in found:
                _add(table, str(found["months"]), name, found[name])
    console.print(table)
    heads = ("declarations", "arrived", *(f"{name}, s" for name in OF_A_WEEK), "in all, s", "peak MB")
    table = Table(*heads, title="A week arrives", title_justify="left")
    for found in weeks:
        steps = [found[name] for name in OF_A_WEEK]
        table.add_row(
            f"{found['declarations']:,}",
            f"{found['score']['rows']:,.0f}",
            *(f"{each['seconds']:.1f}" for each in steps),
            f"{sum(each['seconds'] for each in steps):.1f}",
            f"{max(each['peak_mb'] for each in steps):,.0f}",
        )
    console.print(table)
    console.print(retrained)


def _add(table: Table, size: str, name: str, found: dict[str, float]) -> None:
    rate = found["rows"] / found["seconds"]
    table.add_row(
        size, name, f"{found['rows']:,.0f}", f"{found['seconds']:.1f}", f"{rate:,.0f}", f"{found['peak_mb']:,.0f}"
    )


def _week(folder: Path, months: int, number: int) -> tuple[date, date]:
    following = sorted((folder / "raw").iterdir())[months]
    first = date.fromisoformat(f"{following.name}-01") + timedelta(days=WEEK_DAYS * number)
    return first, first + timedelta(days=WEEK_DAYS - 1)


def _ingest(folder: Path, months: tuple[Path, ...]) -> int:
    from features.ingestion.batches import ingest
    from models.policy import load

    return ingest(Files(months), _store(folder), load().ingestion).rows_in


def _declarations(folder: Path) -> int:
    return sum(_store(folder).rows("declarations").values())


def _store(folder: Path):
    from features.store.store import Store

    return Store(folder / "data" / "files")


def _cache(folder: Path) -> Path:
    from flows.settings import Settings

    return Settings(state_folder=folder / ".tidewaiter").places.features("files", _delay())


def _delay() -> int:
    from models.policy import load

    return load().features.label_delay_days


if __name__ == "__main__":
    main()
