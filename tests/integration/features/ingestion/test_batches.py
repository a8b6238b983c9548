"""An ingestion is killed at chosen and at random moments (kill -9) and run again: it ends as if nothing happened."""

import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from features.store import versioning
from features.store.store import Store
from tests.support.ingestion import tree

ROWS, DAYS, FILES = 400, 6, 4

# An ingestion that kills itself at its `fatal`-th step: any file written, flushed, renamed or removed is a step.
VICTIM = """
import os, shutil, signal, sys
from pathlib import Path
import polars as pl
from features.ingestion import batches, ingest, staging
from features.sources import open_source
from features.store.store import Store
from tests.support.ingestion import LIMITS, stand_in_check_batch, stand_in_judge

staging.judge, batches.check_batch = stand_in_judge, stand_in_check_batch
root, mapping, fatal = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
steps = 0

def fatal_step(call):
    def step(*args, **kwargs):
        global steps
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return step

for owner, name in (
    (Path, "replace"), (Path, "unlink"), (Path, "rmdir"), (Path, "mkdir"), (Path, "write_text"), (os, "fsync"),
    (shutil, "rmtree"), (pl.DataFrame, "write_parquet"),
):
    setattr(owner, name, fatal_step(getattr(owner, name)))
print("ready", flush=True)
report = ingest(open_source("files", [mapping]), Store(root), LIMITS)
print(steps, flush=True)
"""

MAPPING = """
[[files]]
pattern = "*.csv"
[files.declarations]
declaration_id = "id"
item_number = { constant = 1 }
accepted_at = "at"
office = { constant = "10" }
procedure = { constant = "40" }
import_type = { constant = "11" }
transport_mode = { constant = "1" }
declarant_id = { constant = "B1" }
importer_id = { constant = "I1" }
hs_code = { constant = "090121" }
departure_country = { constant = "BR" }
origin_country = { constant = "BR" }
tax_rate_pct = { constant = 8.0 }
tax_type = { constant = "A" }
net_mass_kg = "kg"
item_value = "value"
currency = { constant = "USD" }
[files.outcomes]
declaration_id = "id"
item_number = { constant = 1 }
accepted_at = "at"
is_inspected = { constant = true }
is_illicit = "found"
"""


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with new rows, copies, corrections that move to another day, and lines that must be refused."""
    folder = tmp_path_factory.mktemp("input")
    (folder / "customs.toml").write_text(MAPPING)
    draw = random.Random(7)
    for number in range(FILES):
        lines = ["id,at,kg,value,found"]
        for _ in range(ROWS):
            name, day = draw.randrange(ROWS * 2), draw.randrange(1, DAYS + 1)
            lines.append(f"D{name},2024-03-0{day},{draw.choice(['1', '2', 'x'])},5,{draw.choice(['0', '1', ''])}")
        (folder / f"{number}.csv").write_text("\n".join(lines))
    return folder / "customs.toml"


@dataclass(frozen=True)
class Undisturbed:
    """An ingestion that nobody killed: its store, and how many steps it took."""

    root: Path
    steps: int


@pytest.fixture(scope="module")
def undisturbed(mapping: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed") / "data" / "files"
    return Undisturbed(root, int(finish(run(root, mapping))[-1]))


def run(root: Path, mapping: Path, fatal: int = 0) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", VICTIM, str(root), str(mapping), str(fatal)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    said = process.communicate(timeout=120)[0].split()
    assert process.returncode == 0
    return said


def check_consistent(store: Store) -> None:
    """Whatever is live can be read, and adds up."""
    for table in ("declarations", "declarations_superseded", "outcomes", "outcomes_superseded"):
        assert store.scan(table).collect().height == sum(store.rows(table).values())
    for batch in store.batches:
        assert batch.rows_in == batch.stored + batch.quarantined + batch.known == ROWS
    # Its two parts may be refused one after the other.
    lines = store.quarantine().select("source_file", "source_line").unique().collect().height
    assert lines == sum(batch.quarantined for batch in store.batches)


def test_killed_anywhere_and_run_again_it_ends_as_if_never_killed(
    mapping: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    check_consistent(Store(undisturbed.root))
    steps = undisturbed.steps
    assert steps > 100
    store = Store(tmp_path / "killed" / "data" / "files")
    chosen = sorted({1, 2, 3, steps // 8, steps // 4, steps // 3, steps // 2, steps - 2, steps})
    for fatal in chosen:
        process = run(store.root, mapping, fatal)
        process.communicate(timeout=120)
        if process.returncode == 0:  # what earlier runs committed needs fewer steps now
            break
        assert process.returncode == -signal.SIGKILL
        check_consistent(store)
    finish(run(store.root, mapping))
    assert tree(store.root) == tree(undisturbed.root)
    version = versioning.snapshot(undisturbed.root.parent)
    assert versioning.snapshot(store.root.parent) == version


@pytest.mark.parametrize("fatal", [40, 90, 130])
def test_killed_once_and_run_again_from_the_start(
    mapping: Path, undisturbed: Undisturbed, tmp_path: Path, fatal: int
) -> None:
    killed = Store(tmp_path / "killed")
    run(killed.root, mapping, fatal).communicate(timeout=120)
    check_consistent(killed)
    finish(run(killed.root, mapping))
    assert tree(killed.root) == tree(undisturbed.root)


def test_killed_at_random_times_until_it_is_done(mapping: Path, undisturbed: Undisturbed, tmp_path: Path) -> None:
    killed = Store(tmp_path / "killed")
    draw = random.Random(11)
    for _ in range(6):
        process = run(killed.root, mapping)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0, 0.6))
        process.kill()
        process.communicate()
        check_consistent(killed)
    finish(run(killed.root, mapping))
    assert tree(killed.root) == tree(undisturbed.root)


def test_killed_during_a_snapshot_the_next_one_is_whole(undisturbed: Undisturbed, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(undisturbed.root, data / "files")
    script = "import sys; from pathlib import Path; from features.store import versioning; print('ready', flush=True); "
    script += "versioning.snapshot(Path(sys.argv[1]))"
    draw = random.Random(13)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script, str(data)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0.05, 1.0))
        process.kill()
        process.communicate()
    before = tree(data)
    version = versioning.snapshot(data)
    (data / "files" / "manifest.json").unlink()
    versioning.checkout(data, version)
    assert tree(data) == before
