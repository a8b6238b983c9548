"""How a trial is run, unit by unit, and what is kept of it."""

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import measuring

# A unit takes its number, which is also its seed, and returns what it found; it raises if what it tries does not hold.
Unit = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Trial:
    """A trial; `opened` prepares what all units share, and ends it."""

    says: str
    units: int
    opened: Callable[[], AbstractContextManager[Unit]]


def run(trial: Trial, units: int, kept: Path, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return what each of the first `units` found, in order; those that are kept are not tried again."""
    found = read(kept)[:units]
    if len(found) == units:
        return found
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("".join(json.dumps(each) + "\n" for each in read(kept)))  # leaves out a line that a kill cut off
    with trial.opened() as unit, kept.open("a") as file:
        for number in range(len(found), units):
            started = perf_counter()
            found.append({"unit": number, "commit": _commit(), **unit(number)})
            found[-1]["seconds"] = round(perf_counter() - started, 1)
            file.write(json.dumps(found[-1]) + "\n")
            file.flush()
            tell(f"{number + 1} of {units}: {found[-1]}")
    return found


def read(kept: Path) -> list[dict[str, Any]]:
    """Return what was found until now."""
    lines = kept.read_text().splitlines(keepends=True) if kept.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def save(name: str, trial: Trial, found: list[dict[str, Any]]) -> None:
    """Write the result that is committed: every unit, and the sums of what they counted."""
    sums: dict[str, float] = {}
    for each in found:
        for key, value in each.items():
            if isinstance(value, int | float) and key != "unit":
                sums[key] = round(sums.get(key, 0) + value, 1)
    measuring.save(f"trial-{name}", ("mlflow", "prefect", "hypothesis"), says=trial.says, sums=sums, units=found)


def _commit() -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
