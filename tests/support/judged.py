"""A version as it lies in the store, for tests that spoil it and make it whole again.

They do it as a forger with the service's account would: manifest, seal and tags follow what was done, so that only a
judgement of the content can find it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.dossier.dossier import Dossier
from models.evidence import digests, seal
from models.evidence import manifest as evidence
from models.names import CODE_COMMIT, CODE_IS_DIRTY, DATA_VERSION, EVIDENCE_DIGEST
from models.policy import POLICY_FILE
from models.registry import tracking
from models.server import judging
from models.server.admission import LOGGED, RUN, Request, Shown
from tests.support import candidates


@dataclass
class Version:
    """A version in the store; `files` holds the folders `run` and `logged`."""

    files: Path
    data: Path
    shown: Shown
    policy: str

    @property
    def run(self) -> Path:
        return self.files / RUN

    @property
    def logged(self) -> Path:
        return self.files / LOGGED

    @property
    def model(self) -> Path:
        return self.logged / seal.RISK_MODEL

    def place(self, name: str) -> Path:
        """Return the place of a file of the evidence."""
        folder, _, rest = name.partition("/")
        return self.model / rest if folder == evidence.MODEL_FOLDER else self.run / name

    def faults(self) -> tuple[str, ...]:
        """Return what the server would say of the version."""
        request = Request(files=self.files, shown=self.shown, data=self.data, policy=self.policy)
        try:
            return judging.faults(request)
        finally:
            (self.run / evidence.MODEL_FOLDER).unlink(missing_ok=True)

    def tell(self, **fields: dict[str, Any]) -> None:
        """Make MLflow show something else; keys with None are taken away."""
        changed = {name: {**getattr(self.shown, name), **value} for name, value in fields.items()}
        kept = {name: {k: v for k, v in value.items() if v is not None} for name, value in changed.items()}
        self.shown = self.shown.model_copy(update=kept)

    def reseal(self) -> None:
        """Write the seal over what lies there now."""
        (self.run / seal.SEAL_FILE).unlink(missing_ok=True)
        seal.of(self.run, self.logged, self.shown.params, self.shown.metrics).write(self.run)

    def restate(self, **fields: Any) -> None:
        """Write manifest, tags and seal over what lies there now; `fields` are the manifest's own."""
        before = evidence.read((self.run / evidence.MANIFEST_FILE).read_bytes())
        files = {name: digests.file_digest(self.place(name)) for name in before.files}
        manifest = before.model_copy(update={"files": files, **fields})
        manifest.write(self.run)
        told = {
            EVIDENCE_DIGEST: manifest.digest,
            DATA_VERSION: manifest.data_version,
            CODE_COMMIT: manifest.code.commit,
            CODE_IS_DIRTY: str(manifest.code.is_dirty).lower(),
        }
        self.tell(version_tags=told, run_tags=told)
        self.reseal()

    def rewrite(self, dossier: Dossier) -> None:
        """Put another dossier in its place, with card and description rendered from it, and show its figures."""
        manifest = evidence.read((self.run / evidence.MANIFEST_FILE).read_bytes())
        (self.run / evidence.MODEL_FOLDER).symlink_to(self.model, target_is_directory=True)
        dossier.write(self.run, manifest.data_version, manifest.code.commit)
        (self.run / evidence.MODEL_FOLDER).unlink()
        tuning = {name: value for name, value in self.shown.params.items() if name.startswith("tuning.")}
        self.shown = self.shown.model_copy(
            update={
                "params": {name: str(value) for name, value in dossier.params().items()} | tuning,
                "metrics": dossier.metrics(),
                "description": evidence.description(self.run, self.shown.page),
            }
        )
        self.restate(window=dossier.windows())


def register(folder: Path) -> Version:
    """Register a version, and return it with what MLflow shows of it."""
    place = folder / "evidence"
    place.mkdir()
    candidate = candidates.candidate(candidates.evidence_folder(place))
    registry = candidates.open_registry(folder / "state")
    registry.register(candidate)
    version = registry.challenger()
    assert version is not None
    run, files = registry.run(version), folder / "files"
    model = registry.client.get_logged_model((version.source or "").removeprefix("models:/"))
    registry._fetch_all(run, model, files / RUN, folder / "fetched").rename(files / LOGGED)
    candidates.keep_version(folder / "data", candidate.manifest.data_version)
    shown = Shown(
        version_tags=version.tags,
        description=version.description or "",
        page=tracking.artifacts_page(run),
        run_tags=run.data.tags,
        params=run.data.params,
        metrics=run.data.metrics,
    )
    return Version(files, folder / "data", shown, POLICY_FILE.read_text())


Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the places of all values of a JSON document; of a list, only the list itself and its first element."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*path, 0))
        yield path
    else:
        yield path


def spoil(document: Any, path: Path_) -> Any:
    """Return the document with another value in one place."""
    whole = json.loads(json.dumps(document))
    holder = whole
    for part in path[:-1]:
        holder = holder[part]
    value = holder[path[-1]]
    match value:
        case bool():
            spoilt: Any = not value
        case int() | float():
            spoilt = value + 1
        case str():
            spoilt = f"{value}0"
        case None:
            spoilt = 1
        case list():
            spoilt = value[:-1] if value else [1]
        case _:
            spoilt = {**value, "more": 1}
    holder[path[-1]] = spoilt
    return whole
