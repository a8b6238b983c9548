"""Simulated declarations, as monthly Parquet files of the contract's tables: the default source.

The files are written once, to `<folder>/<digest of the parameters and of the simulator's code>/`, whole or not at all,
and are read from there ever after. Each month brings its declarations first, then the results that became known in it,
then the planted schemes, so whatever a file speaks of has come before.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from features import contract
from features.progress import Progress
from features.reading import Batch, Chunk, Source, conform, files
from features.simulator import Parameters, Tables, generate

FOLDER = Path(".tidewaiter/simulated")

_ROW_GROUP = 100_000  # fixed, so that the bytes of a file depend only on its rows
_MAPPED: dict[str, conform.Mapped] = {
    table: {name: conform.From(name) for name in contract.schema(table).names()} for table in contract.TABLES
}


@dataclass(frozen=True)
class SimulatedBatch(files.InputFile):
    """One month of one table, as a file."""

    table: str

    def chunks(self) -> Iterator[Chunk]:
        mapped = _MAPPED[self.table]
        for lines in files.read_parquet(self.path, mapped):
            yield Chunk(lines.frame, {self.table: conform.conform(self.table, lines.frame, mapped)}, lines.malformed)


@dataclass(frozen=True)
class SimulatorSource:
    """The declarations that `parameters` simulate, kept under `folder`. `on_progress(done, all)` counts weeks."""

    parameters: Parameters
    folder: Path = FOLDER
    on_progress: Progress | None = None
    name: str = "simulator"

    @property
    def files(self) -> Path:
        """Return the folder of the files of these parameters, whether or not it exists."""
        return self.folder / _digest(self.parameters)

    def batches(self) -> Iterator[Batch]:
        write(self)
        for month in sorted(self.files.iterdir()):
            for table in contract.TABLES:
                yield SimulatedBatch(month / f"{table}-{month.name}.parquet", table)


def write(source: SimulatorSource) -> Path:
    """Simulate and write the files unless they exist; return their folder.

    The folder appears by one rename when all files are on disk, so a folder that exists is complete.
    """
    if source.files.exists():
        return source.files
    source.folder.mkdir(parents=True, exist_ok=True)
    tables = generate(source.parameters, source.on_progress)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=source.folder))
    try:
        for number, month in enumerate(source.parameters.month_names()):
            _write_month(tables, number, unfinished / month, month)
        try:
            unfinished.rename(source.files)
        except OSError:
            if not source.files.exists():  # otherwise another process was first, with the same bytes
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return source.files


def _write_month(tables: Tables, number: int, folder: Path, month: str) -> None:
    folder.mkdir()
    for table in contract.TABLES:
        frame: pl.DataFrame = getattr(tables, table)
        path = folder / f"{table}-{month}.parquet"
        rows = frame.filter(pl.col("arrives") == number).drop("arrives").rechunk()
        rows.write_parquet(path, compression="zstd", compression_level=3, row_group_size=_ROW_GROUP)
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _digest(parameters: Parameters) -> str:
    return hashlib.sha256(f"{parameters.model_dump_json()} {_code_digest()}".encode()).hexdigest()[:12]


@cache
def _code_digest() -> str:
    """Return a digest of the simulator's own files, since other code may mean other data."""
    whole = hashlib.sha256()
    package = Path(__file__).parents[1] / "simulator"
    for path in sorted([*package.glob("*.py"), *package.glob("*.csv"), Path(__file__), Path(contract.__file__)]):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def open_source(inputs: Sequence[str]) -> Source:
    """Return the simulator with parameters given as `name=value`; `folder=` says where the files are kept.

    >>> open_source(["rows=5000", "months=6"]).parameters.rows
    5000
    >>> open_source(["columns=3"])
    Traceback (most recent call last):
    ...
    ValueError: input 'columns=3' is not for the source 'simulator'; allowed: rows=, ..., preset=, folder=
    >>> open_source(["rows=some"])
    Traceback (most recent call last):
    ...
    ValueError: rows='some': Input should be a valid integer, unable to parse string as an integer
    """
    allowed = (*Parameters.model_fields, "folder")
    given: dict[str, str] = {}
    for text in inputs:
        name, _, value = text.partition("=")
        if name not in allowed or not value:
            choice = ", ".join(f"{name}=" for name in allowed)
            raise ValueError(f"input {text!r} is not for the source 'simulator'; allowed: {choice}")
        given[name] = value
    folder = Path(given.pop("folder", FOLDER))
    try:
        return SimulatorSource(Parameters.model_validate(given), folder)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}={first['input']!r}: {first['msg']}") from None
