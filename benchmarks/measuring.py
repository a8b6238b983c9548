"""What benchmarks share: a process for each measurement, its peak memory, and the file of results."""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

LIBRARIES = ("polars", "numpy", "numba", "lightgbm", "great-expectations", "evidently", "dvc", "mlflow", "prefect")
RESULTS = Path(__file__).parent / "results"


def apart(script: str, *arguments: object, python: str = sys.executable) -> dict[str, Any]:
    """Run `script` with `arguments` in a process of its own, and return what it prints last, as JSON.

    A process begins with the peak memory of the one that started it, so the starting process should hold little itself.
    """
    command = [python, script, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def staged(script: str, stages: Iterable[str], rows: int, *more: object) -> dict[str, dict[str, Any]]:
    """Run each stage of `script` in a process of its own, all in one folder; return what they measured, by stage.

    `more` are arguments that each stage is given.
    """
    results = {}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder, Console().status("") as status:
        for stage in stages:
            status.update(stage)
            results[stage] = apart(script, "--stage", stage, "--folder", folder, "--rows", rows, *more)
    return results


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Return how many rows `work` says it did, its seconds, and this process's peak memory."""
    started = perf_counter()
    rows = work()
    return {"rows": rows, "seconds": perf_counter() - started, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Return the most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def save(name: str, libraries: tuple[str, ...] = LIBRARIES, **results: object) -> None:
    """Write `results` and what they were measured on to results/<name>.json."""
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    versions = {library: version(library) for library in libraries}
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": machine, "versions": versions, **results}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
