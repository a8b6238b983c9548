"""How long ingestion of small batches takes, together and one at a time, and reading alone. Run by `make bench`.

    a first run       54,000 simulated declarations: 72 files of all tables; and each of them by itself
    nights            one-line files
    reading           one CSV file, read and brought to the contract, and no more

Each is measured in a process of its own, in which Great Expectations is imported before the clock starts, because that
takes the same time whatever is ingested. CPU seconds tell more than seconds where other work runs; compare only within
one run.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from unittest.mock import patch

import measuring
import polars as pl
from rich.console import Console
from rich.table import Table

from features import contract
from features.validation.verdicts import Finding

ROWS, NIGHTS, LINES = 54_000, 1_000, 400_000
ALONE = "one at a time"


def prepare(folder: Path) -> None:
    from features.sources.simulator import write

    write(_simulated(folder))
    chunks = (chunk for batch in _simulated(folder).batches() for chunk in batch.chunks())
    rows = pl.concat(chunk.tables["declarations"] for chunk in chunks if "declarations" in chunk.tables)
    rows = rows.select(contract.schema("declarations").names())
    copies = (rows.with_columns(pl.col("declaration_id") + f"-{copy}") for copy in range(-(-LINES // rows.height)))
    lines = pl.concat(copies).head(LINES).with_columns(pl.col(pl.Datetime).dt.to_string("iso:strict"))
    for name, frames in {
        "reading": [lines],
        "nights": [lines[at : at + 1] for at in range(0, LINES, LINES // NIGHTS)],
    }.items():
        (folder / name).mkdir()
        mapped = "".join(f'{column} = "{column}"\n' for column in lines.columns)
        (folder / name / "mapping.toml").write_text(f'[[files]]\npattern = "*.csv"\n[files.declarations]\n{mapped}')
        for number, frame in enumerate(frames):
            frame.write_csv(folder / name / f"{number:04d}.csv")


def first_run(folder: Path) -> int:
    return _ingested(folder, _simulated(folder))


def nights(folder: Path) -> int:
    return _ingested(folder, _files(folder / "nights"))


def reading(folder: Path) -> int:
    chunks = (chunk for batch in _files(folder / "reading").batches() for chunk in batch.chunks())
    return sum(chunk.tables["declarations"].height for chunk in chunks)


CASES: dict[str, Callable[[Path], int]] = {"a first run": first_run, "nights": nights, "reading": reading}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.case:
        print(json.dumps(_measured(CASES[given.case], given.folder, given.alone)))
        return
    results = {}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder, Console().status("") as status:
        status.update("prepare")
        prepare(Path(folder))
        for case in CASES:
            for alone in (False, True) if case == "a first run" else (False,):
                name = f"{case}, {ALONE}" if alone else case
                status.update(name)
                flags = ["--alone"] if alone else []
                results[name] = measuring.apart(__file__, "--case", case, *flags, "--folder", folder)
    table = Table("", "lines", "seconds", "CPU seconds", "of it validation", "lines a CPU second", "peak MB")
    for name, found in results.items():
        per_second = found["rows"] / found["cpu_seconds"]
        seconds = found["seconds"], found["cpu_seconds"], found["validation_cpu_seconds"]
        figures = (found["rows"], *seconds, per_second, found["peak_mb"])
        table.add_row(name, *(f"{figure:,.1f}" if figure < 1000 else f"{figure:,.0f}" for figure in figures))
    Console().print(table)
    measuring.save("ingestion", cases=results)


def _measured(case: Callable[[Path], int], folder: Path, alone: bool) -> dict[str, float]:
    import_module("features.validation.expectations")  # this takes seconds and is not measured
    from features.ingestion import batches, staging

    in_validation: list[float] = []
    judge = staging.judge

    def timed(table: str, rows: pl.DataFrame) -> list[Finding]:
        started = process_time()
        found = judge(table, rows)
        in_validation.append(process_time() - started)
        return found

    together = patch.object(batches, "GROUP_LINES", 0 if alone else batches.GROUP_LINES)
    with together, patch.object(staging, "judge", timed):
        started, cpu_started = perf_counter(), process_time()
        rows = case(folder)
        seconds, cpu_seconds = perf_counter() - started, process_time() - cpu_started
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "validation_cpu_seconds": sum(in_validation),
        "peak_mb": measuring.peak_mb(),
    }


def _ingested(folder: Path, source) -> int:
    from features.ingestion.batches import ingest
    from features.store.store import Store
    from models.policy import load

    store = Store(Path(tempfile.mkdtemp(dir=folder)) / "data")  # deleted with `folder`, outside the measured time
    return ingest(source, store, load().ingestion).rows_in


def _simulated(folder: Path):
    from features.simulator import Parameters
    from features.sources.simulator import SimulatorSource

    return SimulatorSource(Parameters(rows=ROWS), folder / "simulated")


def _files(folder: Path):
    from features.sources import open_source

    return open_source("files", [str(folder / "mapping.toml")])


if __name__ == "__main__":
    main()
