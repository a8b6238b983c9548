"""How a trial is run, unit by unit, and what is kept of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import kept, measuring

# A unit takes its number, which is also its seed, and returns what it found; it raises if what it tries does not hold.
Unit = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Trial:
    """A trial; `opened` prepares what all units share, and ends it."""

    says: str
    units: int
    opened: Callable[[], AbstractContextManager[Unit]]


def run(trial: Trial, units: int, file: Path, tell: Callable[[str], None]) -> list[kept.Found]:
    """Return what each of the first `units` found, in order; those that are kept in `file` are not tried again."""
    found = kept.read(file)[:units]
    if len(found) == units:
        return found
    with kept.adding(file) as add, trial.opened() as unit:
        for number in range(len(found), units):
            started = perf_counter()
            found.append({"unit": number, "commit": kept.commit(), **unit(number)})
            found[-1]["seconds"] = round(perf_counter() - started, 1)
            add(found[-1])
            tell(f"{number + 1} of {units}: {found[-1]}")
    return found


def save(name: str, trial: Trial, found: list[kept.Found]) -> None:
    """Write the result that is committed: every unit, and the sums of what they counted."""
    sums: dict[str, float] = {}
    for each in found:
        for key, value in each.items():
            if isinstance(value, int | float) and key != "unit":
                sums[key] = round(sums.get(key, 0) + value, 1)
    measuring.save(f"trial-{name}", ("mlflow", "prefect", "hypothesis"), says=trial.says, sums=sums, units=found)
