"""What a long run has found until now, one line of JSON each: a run that was stopped goes on where it was."""

import json
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(".tidewaiter/comparisons")
Found = dict[str, Any]


def read(file: Path) -> list[Found]:
    """Return what was found; a line that a kill cut off does not count."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


@contextmanager
def adding(file: Path) -> Generator[Callable[[Found], None]]:
    """Yield what adds one more to `file`, which is made where it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in read(file)))  # leaves out a line that a kill cut off
    with file.open("a") as lines:

        def add(found: Found) -> None:
            lines.write(json.dumps(found) + "\n")
            lines.flush()

        yield add


def commit() -> str:
    """Return the commit of the code that runs, to be kept with what it found."""
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
