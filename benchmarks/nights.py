"""What a night costs against the length of the history: features of one new day, and of all days at once.

Run by `make bench-large`. Traffic is the same for every length, so that the new day has as many declarations. Each step
runs in a process of its own, so that its peak memory is its own. Simulation and ingestion are not counted. Compare
figures only within one run.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

A_MONTH, MONTHS = 200_000, (3, 6, 12, 24, 36)
LATE_DAYS = 7  # the last days of an archive are not complete


def store(folder: Path, rows: int, months: int) -> int:
    from features.ingest import Limits, ingest
    from features.simulator import Parameters
    from features.sources.simulator import SimulatorSource, write
    from models.policy import load

    source = SimulatorSource(Parameters(rows=rows, months=months), folder / "simulated")
    write(source)
    return ingest(source, _store(folder), Limits(**load().ingestion.model_dump())).rows_in


def history(folder: Path) -> int:
    from features import cache

    return cache.build(_store(folder), _delay(), folder / "cache").computed_rows


def night(folder: Path) -> int:
    """The last complete day, as if it had just arrived."""
    from features import cache

    last = _store(folder).days()[-1] - timedelta(days=LATE_DAYS)
    for part in (folder / "cache").glob(f"{last.isoformat()}-*.parquet"):
        part.unlink()
    return cache.build(_store(folder), _delay(), folder / "cache").computed_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a-month", type=int, default=A_MONTH, help="declarations")
    parser.add_argument("--months", type=int, nargs="+", default=MONTHS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/nights.json"))
    parser.add_argument("--step", choices=("store", "history", "night"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(_run(given.step, given.folder, given.a_month, given.months[0])))
        return
    console = Console()
    table = Table(
        "months", "declarations", "all days, s", "peak MB", "new day", "its s", "peak MB", title_justify="left"
    )
    results = []
    for months in given.months:
        with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder, console.status(f"{months} months"):
            steps = {step: _step(step, folder, given.a_month, months) for step in ("store", "history", "night")}
        results.append({"months": months, **steps})
        whole, new = steps["history"], steps["night"]
        table.add_row(
            str(months),
            f"{whole['rows']:,.0f}",
            f"{whole['seconds']:.1f}",
            f"{whole['peak_mb']:,.0f}",
            f"{new['rows']:,.0f}",
            f"{new['seconds']:.1f}",
            f"{new['peak_mb']:,.0f}",
        )
    console.print(table)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    given.out.write_text(json.dumps({"machine": machine, "nights": results}, indent=1) + "\n")


def _step(step: str, folder: str, a_month: int, months: int) -> dict[str, float]:
    sizes = ["--a-month", str(a_month), "--months", str(months)]
    command = [sys.executable, __file__, "--step", step, "--folder", folder, *sizes]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _run(step: str, folder: Path, a_month: int, months: int) -> dict[str, float]:
    started = perf_counter()
    rows = (
        store(folder, a_month * months, months)
        if step == "store"
        else {"history": history, "night": night}[step](folder)
    )
    seconds = perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rows": rows, "seconds": seconds, "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10)}


def _store(folder: Path):
    from features.store import Store

    return Store(folder / "data" / "simulator")


def _delay() -> int:
    from models.policy import load

    return load().features.label_delay_days


if __name__ == "__main__":
    main()
