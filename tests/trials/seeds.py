"""The properties of tests/property, with many times as many examples as in the suite; each unit tries one file."""

import re
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.examples import TRIAL as PROFILE
from tests.trials.running import Trial, Unit

FILES = sorted((Path(__file__).parents[1] / "property").rglob("test_*.py"))
_PASSED = re.compile(r"(\d+) passing examples")


def tried(number: int, *options: str) -> Mapping[str, Any]:
    """Try a file's properties with a seed of its own; RuntimeError with pytest's output where one does not hold."""
    file = FILES[number % len(FILES)]
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", "0", "-p", "no:cacheprovider", str(file), *options]
    command += [f"--hypothesis-seed={number}", "--hypothesis-show-statistics"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{file.name} with seed {number}:\n{done.stdout}{done.stderr}")
    return {"file": file.name, "examples": sum(map(int, _PASSED.findall(done.stdout)))}


def many(number: int) -> Mapping[str, Any]:
    return tried(number, f"--hypothesis-profile={PROFILE}")


@contextmanager
def _opened() -> Generator[Unit]:
    yield many


TRIAL = Trial("every property of tests/property, twenty times the examples of the suite", len(FILES), _opened)
