"""The simulator as a source: its files are the same everywhere, written once and whole, and read like any others."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from features import contract
from features.simulator import Parameters, Preset
from features.sources import open_source
from features.sources import simulator as module
from features.sources.simulator import SimulatorSource, write
from tests.support import versions

SMALL = Parameters(rows=3000, months=6)

# What may differ between machines: threads, hashing, and the vector instructions that NumPy finds.
ELSEWHERE = {
    "POLARS_MAX_THREADS": "1",
    "PYTHONHASHSEED": "7",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
}
SCRIPT = """
import sys
from pathlib import Path
from features.simulator import Parameters, Preset
from features.sources.simulator import SimulatorSource, write
for preset in Preset:
    write(SimulatorSource(Parameters(rows=3000, months=6, preset=preset), Path(sys.argv[1])))
"""


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SimulatorSource:
    source = SimulatorSource(SMALL, tmp_path_factory.mktemp("simulated"))
    write(source)
    return source


def test_another_process_writes_the_same_bytes(source: SimulatorSource, tmp_path: Path):
    write(SimulatorSource(SMALL.model_copy(update={"preset": Preset.UNKIND}), source.folder))
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], check=True, env=os.environ | ELSEWHERE)
    ours = digests(source.folder)
    assert len(ours) == len(Preset) * 6 * len(contract.TABLES)
    assert digests(tmp_path) == ours


def test_the_default_world_is_the_one_whose_version_is_committed(tmp_path: Path):
    assert versions.simulated(versions.DEFAULT, tmp_path) == versions.recorded()["simulated"]


def test_another_seed_writes_other_files(source: SimulatorSource, tmp_path: Path):
    other = SimulatorSource(SMALL.model_copy(update={"seed": 5}), tmp_path)
    assert other.files.name != source.files.name
    assert set(digests(write(other)).values()).isdisjoint(digests(source.files).values())


def test_months_come_in_order_declarations_first(source: SimulatorSource):
    names = [batch.name for batch in source.batches()]
    assert names[:5] == [
        "declarations-2023-01.parquet",
        "outcomes-2023-01.parquet",
        "truth-2023-01.parquet",
        "register-2023-01.parquet",
        "declarations-2023-02.parquet",
    ]
    assert len(names) == 24


def test_batches_deliver_the_contract_and_nothing_unknown_is_spoken_of(source: SimulatorSource):
    declared: set[tuple[object, ...]] = set()
    rows = 0
    for batch in source.batches():
        for chunk in batch.chunks():
            ((table, frame),) = chunk.tables.items()
            assert frame.drop("source_line", "unreadable").schema == contract.schema(table)
            assert frame["source_line"].to_list() == list(range(1, frame.height + 1))
            unreadable = frame["unreadable"].drop_nulls()
            assert unreadable.str.starts_with("hs_code").all()  # lost zeros; all else is for validation to find
            keys = set(frame.select(contract.FILING[table].key).iter_rows())
            if table == "declarations":
                declared |= keys
                rows += frame.height
            elif table != "register":
                assert keys <= declared
    assert len(declared) == SMALL.rows
    assert rows > SMALL.rows


def test_files_that_are_there_are_not_simulated_again(source: SimulatorSource, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "generate", _fails)
    assert next(source.batches()).name == "declarations-2023-01.parquet"


def _fails(*_: object) -> None:
    raise AssertionError("simulated again")


def test_an_interrupted_writing_leaves_nothing_that_looks_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = SimulatorSource(SMALL, tmp_path)
    write_month = module._write_month

    def stumble(tables, number, folder, month):
        if number == 3:
            raise OSError("disk full")
        write_month(tables, number, folder, month)

    monkeypatch.setattr(module, "_write_month", stumble)
    with pytest.raises(OSError, match="disk full"):
        list(source.batches())
    assert not source.files.exists()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert len(digests(write(source))) == 24


def test_progress_counts_weeks(tmp_path: Path):
    seen: list[tuple[int, int]] = []
    write(SimulatorSource(Parameters(rows=1000, months=1), tmp_path, lambda done, total: seen.append((done, total))))
    assert seen == [(week, 5) for week in range(1, 6)]


def test_opened_by_name(tmp_path: Path):
    source = open_source("simulator", ["rows=1000", "months=2", "start=2024-05-01", "seed=3", f"folder={tmp_path}"])
    assert source.name == "simulator"
    names = [batch.name for batch in source.batches()]
    assert names[0] == "declarations-2024-05.parquet"
    first = pl.read_parquet(next(tmp_path.rglob("declarations-2024-05.parquet")))
    assert first["currency"].unique().to_list() == ["USD"]


@pytest.mark.parametrize("text", ["rows=10", "months=0", "start=soon", "seed=-1", "rows=", "noise"])
def test_wrong_parameters_are_refused(text: str):
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        open_source("simulator", [text])
