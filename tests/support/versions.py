"""The versions of the data that today's code makes of two worlds: the committed default one, and a smaller one.

Ingesting the default world costs more than a test may. So tests check each time that its files are simulated as when
the committed version was made, and that the smaller world, on which a test retrains anyway, is stored as it was then.
Code that does otherwise fails there. `python -m tests.support.versions` then makes both again, in a minute, and writes
them down: versions.json and data.dvc are to be committed together.
"""

import hashlib
import json
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from features.ingestion.batches import ingest
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from features.store import versioning
from features.store.store import Store
from models import policy
from tests.trials.kills import PARAMETERS

FILE = Path(__file__).with_suffix(".json")
COMMITTED = Path(__file__).parents[2] / "data.dvc"
DEFAULT = Parameters()
SMALLER = Parameters(rows=PARAMETERS.rows, months=PARAMETERS.months)


def simulated(world: Parameters, folder: Path) -> str:
    """Return a digest over the files of a world, simulated in `folder`."""
    files = [f"{batch.name} {batch.sha256}" for batch in SimulatorSource(world, folder).batches()]
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def named(pointer: Path) -> dict[str, Any]:
    """Return what a data.dvc says of the version that it names: md5, size, number of files."""
    return yaml.safe_load(pointer.read_text())["outs"][0]


def noted(folder: Path) -> Path:
    """Return the file in which the state folder describes the data in `folder`, as a data.dvc does."""
    (found,) = (folder / versioning.STATE / "versions").iterdir()
    return found


def recorded() -> dict[str, Any]:
    """Return what was written down when the committed version was made."""
    return json.loads(FILE.read_text())


def _stored(world: Parameters, folder: Path) -> Path:
    """Ingest a world into `folder` as a retraining does, and return what a data.dvc would say of it."""
    source = SimulatorSource(world, folder / "simulated")
    limits = policy.load().ingestion
    store = Store(folder / "data" / "simulator")
    ingest(source, store, limits, arrived_on=date.max, world=world.model_dump(mode="json"))
    versioning.snapshot(folder / "data")
    return noted(folder)


def main() -> None:
    with TemporaryDirectory() as scratch:
        folders = {name: Path(scratch) / name for name in ("default", "smaller")}
        for folder in folders.values():
            folder.mkdir()
        default, smaller = _stored(DEFAULT, folders["default"]), _stored(SMALLER, folders["smaller"])
        found = {
            "simulated": simulated(DEFAULT, folders["default"] / "simulated"),
            "default": named(default),
            "smaller": named(smaller),
        }
        FILE.write_text(json.dumps(found, indent=2) + "\n")
        COMMITTED.write_text(default.read_text())


if __name__ == "__main__":
    main()
