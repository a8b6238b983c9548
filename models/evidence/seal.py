"""The second layout of the evidence: a sealed list of every file of a version's run and of its logged model.

The manifest (manifest.py) is what a model is: two identical runs have the same one. The seal is what one run stored:
served code, MLmodel, reports, plots and pages included, with the parameters and figures that MLflow shows of it, so no
two runs have the same one. It is written last, as the run's `sealed.json`; its digest goes into the ledger when the
version is opened. Versions that were opened before there were seals have none, and are compared with their manifest
alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from models.document import Document
from models.evidence import digests, manifest
from models.evidence.digests import Sha256

SEAL_FILE = "sealed.json"
RISK_MODEL = f"artifacts/{manifest.MODEL_FOLDER}"  # the risk model's folder among the files of a logged model


class Seal(Document):
    """A sealed list. `run` and `model` are files by their path below the run's and the logged model's artifacts."""

    layout: Literal[2] = 2
    run: dict[str, Sha256]
    model: dict[str, Sha256]
    params: dict[str, str]
    metrics: dict[str, float]

    @property
    def digest(self) -> str:
        """Return the SHA-256 over the canonical form, in hexadecimal."""
        return digests.json_digest(self.model_dump())

    def write(self, folder: Path) -> Path:
        """Put the seal into a folder, in its canonical form; return its path."""
        path = folder / SEAL_FILE
        path.write_bytes(digests.canonical(self.model_dump()))
        return path


def of(run: Path, model: Path, params: Mapping[str, str], metrics: Mapping[str, float]) -> Seal:
    """Return the seal over two folders as they are, and over what MLflow shows of the run."""
    return Seal(run=listed(run), model=listed(model), params=dict(params), metrics=dict(metrics))


def read(folder: Path) -> Seal | None:
    """Return the seal in a folder; None if there is none. ValueError if it is not one in its canonical form."""
    path = folder / SEAL_FILE
    return parse(path.read_bytes()) if path.is_file() else None


def parse(content: bytes) -> Seal:
    """Return the seal in a file's bytes; ValueError if they are not one in its canonical form."""
    found = Seal.model_validate_json(content)
    if digests.canonical(found.model_dump()) != content:
        raise ValueError(f"{SEAL_FILE} is not in its canonical form")
    return found


def listed(folder: Path) -> dict[str, str]:
    """Return every file below a folder, except the seal itself, by its path, with its SHA-256."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = ((path.relative_to(folder).as_posix(), path) for path in paths)
    return {name: digests.file_digest(path) for name, path in names if name != SEAL_FILE}


def differences(stated: Seal, found: Seal) -> tuple[str, ...]:
    """Return what of `found` is not as it was sealed, a sentence each."""
    pairs: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        ("file", stated.run, found.run),
        ("file of the logged model", stated.model, found.model),
        ("parameter", stated.params, found.params),
        ("metric", stated.metrics, found.metrics),
    )
    return tuple(sentence for what, was, now in pairs for sentence in _compared(what, was, now))


def _compared(what: str, stated: Mapping[str, object], found: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(stated.keys() | found.keys()):
        if name not in found:
            yield f"{what} {name} is missing, and was sealed"
        elif name not in stated:
            yield f"{what} {name} is not among what was sealed"
        elif stated[name] != found[name]:
            yield f"{what} {name} is not what was sealed"
