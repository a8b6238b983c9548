"""A version is made again: its code and data are checked out, its libraries installed, and its model is trained.

Everything is done in a scratch folder; neither the data folder nor the checkout that runs this is touched.
"""

import os
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException

from features.store import versioning
from models.evidence import Manifest, manifest, source_code
from models.places import Places
from models.registry import Registry
from models.reproduction import libraries
from models.reproduction.scratch import Scratch
from models.reproduction.stages import NotTried, Purged, Stage, of_models
from models.retention import TOMBSTONES, Tombstones
from models.risk import risk_model

PROGRAM = Path("models", "reproduction", "retraining.py")


def reproduce(registry: Registry, places: Places, number: str, scratch: Scratch) -> Iterator[Stage]:
    """Yield each stage of making a version again, up to the first that differs.

    LookupError if there is no such version; NotTried if a stage cannot be tried here, and of these Purged if a rule has
    taken its data away.
    """
    for stage in _stages(registry, places, number, scratch):
        yield stage
        if not stage.is_same:
            return


def _stages(registry: Registry, places: Places, number: str, scratch: Scratch) -> Iterator[Stage]:
    evidence, data, made = (scratch.folder / name for name in ("evidence", "data", "made"))
    stated, source = _fetched(registry, number, evidence)
    with _code(stated) as code:
        yield Stage("code", stated.code.source_sha256, source_code.source_digest(code))
        if stated.lock_sha256 is None:
            raise NotTried(f"it was made without {source_code.LOCK_FILE}, so nobody knows its libraries")
        yield Stage("lock", stated.lock_sha256, source_code.lock_digest(code) or "none")
        if not (code / PROGRAM).is_file():
            raise NotTried(f"its code, commit {stated.code.commit}, is older than this command")
        _lay_data(places, stated, data)
        yield Stage("data", stated.data_version, stated.data_version)  # `copy` has compared every byte
        python = libraries.python(code, scratch.folder / "libraries")
        _train(python, code, (evidence, data, source, made), scratch)
    model = Path(manifest.MODEL_FOLDER, risk_model.MODEL_FILE)
    yield from of_models((evidence / model).read_bytes(), (made / model).read_bytes())


def _fetched(registry: Registry, number: str, folder: Path) -> tuple[Manifest, str]:
    """Bring a version's evidence, verified, into a folder; return its manifest and the name of its source."""
    try:
        version = registry.version(number)
        stated = registry.fetch_evidence(version, folder)
        return stated, registry.run(version).data.params["source"]
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise LookupError(f"there is no version {number}; `tidewaiter data list` shows which there are") from error
        raise NotTried(f"MLflow did not give the version: {str(error).splitlines()[0]}") from error
    except (ValueError, OSError) as error:
        raise NotTried(str(error).splitlines()[0]) from error


@contextmanager
def _code(stated: Manifest) -> Generator[Path]:
    """Give a folder with the version's code: what runs here if that is the same, or else its commit."""
    if source_code.source_digest(source_code.PROJECT) == stated.code.source_sha256:
        yield source_code.PROJECT
        return
    with source_code.committed(stated.code.commit, source_code.PROJECT) as folder:
        if folder is None:
            raise NotTried(f"git knows no commit {stated.code.commit} here: fetch it into {source_code.PROJECT}")
        yield folder


def _lay_data(places: Places, stated: Manifest, folder: Path) -> None:
    version = stated.data_version
    try:
        if not versioning.exists(places.data, version, places.state):
            tombstone = Tombstones(places.state / TOMBSTONES).find("versions", version, stated.last_day)
            if tombstone:
                raise Purged(f"its data were {tombstone.sentence}")
        versioning.copy(places.data, version, folder, places.state)
    except (versioning.VersionError, ValueError) as error:
        raise NotTried(str(error)) from error


def _train(python: Path, code: Path, arguments: tuple[Path | str, ...], scratch: Scratch) -> None:
    """Train with the version's own code and libraries, in a process of its own."""
    command = [str(python), "-m", ".".join(PROGRAM.with_suffix("").parts), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=code,
        env=os.environ | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
        pass_fds=(scratch.lock,),  # a killed process leaves it to its child, as long as that is at work
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotTried(f"training it again failed: {said[-1]}")
