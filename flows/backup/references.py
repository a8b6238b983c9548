"""Whether everything that a copy of an installation, or the installation itself, refers to is there and whole.

The ledger's chain, rules and head; the evidence of every version that it knows, byte by byte; the log of decisions as
far as the ledger has sealed it; photos of cases; the files that the data's manifests name; and DVC's versions.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from features.store import Store
from flows.settings import Settings
from models import database, policy
from models.decisions import BrokenChain, DecisionLog, Unavailable
from models.evidence import Manifest as Evidence
from models.evidence import digests, manifest, seal
from models.ledger import Book, Entry, Keys, LedgerError, chain, reading
from models.retention import TOMBSTONES, Tombstones
from models.window import sealing

_VERSIONS = sa.text(
    "SELECT v.version, r.artifact_uri AS run, m.artifact_location AS model FROM model_versions v "
    "JOIN runs r ON r.run_uuid = v.run_id JOIN logged_models m ON v.source = 'models:/' || m.model_id "
    "ORDER BY v.version"
)
_PHOTOS = sa.text("SELECT kept, max(at) AS last FROM desk_photos GROUP BY kept ORDER BY kept").columns(
    kept=sa.String, last=database.Instant
)


@dataclass(frozen=True)
class Whole:
    """An installation, or a copy of it, as one can look at it.

    `mlflow` and `decisions` are addresses of databases, None if one cannot be looked at. `artifact_root` is the URI
    that MLflow's database has for what is in the folder `artifacts` of the state; None if artifacts are elsewhere.
    """

    state: Path
    data: Path
    mlflow: str | None
    decisions: str | None
    artifact_root: str | None

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each thing that is not whole."""
        entries: list[Entry] = []
        if self.mlflow and _has(self.mlflow, "tidewaiter_ledger"):
            try:
                book, entries = self._ledger(self.mlflow)
            except (LedgerError, OSError, ValueError) as error:
                yield f"the ledger is not whole: {error}"
            else:
                yield from self._versions(self.mlflow, book)
        if self.decisions and _has(self.decisions, "decisions"):
            yield from self._decisions(self.decisions, entries)
        if self.decisions and _has(self.decisions, "desk_photos"):
            yield from self._photos(self.decisions)
        yield from self._data()
        yield from self._kept_versions()

    def _ledger(self, mlflow: str) -> tuple[Book, list[Entry]]:
        keys = Keys(self.state / "signoff")
        rows = reading.rows(mlflow)
        chain.check_head(rows, chain.Head.model_validate_json(keys.head_file.read_bytes()))
        book = reading.replay(rows, keys.public_key, policy.load().signoff)
        return book, chain.Chain(keys.public_key).extend(rows)

    def _versions(self, mlflow: str, book: Book) -> Iterator[str]:
        if self.artifact_root is None:
            return
        found = {int(row.version): row for row in _rows(mlflow, _VERSIONS)}
        for number, case in book.cases.items():
            if case.is_void or number in book.cleared:
                continue
            if number not in found:
                yield f"version {number} is in the ledger and not in MLflow"
                continue
            try:
                self._check(self._folder(found[number].run), self._folder(found[number].model), case.digest, case.seal)
            except (OSError, ValueError) as error:
                yield f"evidence of version {number}: {error}"

    def _folder(self, uri: str) -> Path:
        """Return where the files of an artifact's URI lie here."""
        assert self.artifact_root is not None
        if not uri.startswith(f"{self.artifact_root}/"):
            raise ValueError(f"{uri} is not below {self.artifact_root}")
        return self.state / "artifacts" / url2pathname(urlsplit(uri.removeprefix(f"{self.artifact_root}/")).path)

    def _check(self, run: Path, model: Path, digest: str, sealed: str | None) -> None:
        evidence: Evidence = manifest.read((run / manifest.MANIFEST_FILE).read_bytes())
        if evidence.digest != digest:
            raise ValueError(f"it was opened over {digest[:12]}, and the manifest is {evidence.digest[:12]}")
        for name, stated in evidence.files.items():
            place = model / "artifacts" / name if name.startswith(f"{manifest.MODEL_FOLDER}/") else run / name
            if digests.file_digest(place) != stated:
                raise ValueError(f"{name} is not the file that was signed")
        if sealed is None:
            return
        stated = seal.read(run)
        if stated is None or stated.digest != sealed:
            raise ValueError("the seal is not the one that it was opened under")
        for folder, files in ((run, stated.run), (model, stated.model)):
            if seal.listed(folder) != files:
                raise ValueError(f"the files in {folder} are not those that were sealed")

    def _decisions(self, decisions: str, entries: list[Entry]) -> Iterator[str]:
        with closing(DecisionLog(decisions)) as log:
            try:
                sealing.verified(log, entries)
            except (BrokenChain, Unavailable) as error:
                yield f"the log of decisions is not whole: {error}"

    def _photos(self, decisions: str) -> Iterator[str]:
        try:
            tombstones = Tombstones(self.state / TOMBSTONES).read()
        except ValueError as error:
            yield f"the tombstones are not whole: {error}"
            return
        purged = {each.name: each.counted_from for each in tombstones if each.table == "photos"}  # the last of each
        for row in _rows(decisions, _PHOTOS):
            there = (self.state / "desk" / "photos" / row.kept[:2]).glob(f"{row.kept}.*")
            found = [path for path in there if path.suffix != ".purged"]
            if not found and purged.get(row.kept, date.min) >= row.last.date():
                continue
            if not found or digests.file_digest(found[0]) != row.kept:
                yield f"photo {row.kept} of a case is missing or not as it was kept"

    def _data(self) -> Iterator[str]:
        for file in sorted(self.data.glob("*/manifest.json")):
            store = Store(file.parent)
            for table, days in store.manifest().parts.items():
                for day, part in days.items():
                    if not store.path(table, day, part.digest).is_file():
                        yield f"{store.path(table, day, part.digest)} is missing, and the data's manifest names it"

    def _kept_versions(self) -> Iterator[str]:
        objects = self.state / "dvc-remote" / "files" / "md5"
        for version in sorted(objects.glob("??/*.dir")):
            for each in json.loads(version.read_bytes()):
                if not (objects / each["md5"][:2] / each["md5"][2:]).is_file():
                    yield f"{each['relpath']} of the data's version {version.parent.name}{version.name} is missing"


def whole(settings: Settings, artifact_root: str, is_restored: bool = True) -> Whole:
    """Return what there is to look at where the settings say that things are.

    `artifact_root` is the URI that MLflow's database has. Databases of PostgreSQL are looked at only if `is_restored`.
    """

    def seen(own: str | None, uri: str) -> str | None:
        return uri if own is None or is_restored else None

    return Whole(
        settings.state_folder.absolute(),
        settings.data_folder.absolute(),
        seen(settings.mlflow_database_uri, settings.database_uri),
        seen(settings.decisions_database_uri, settings.decisions_uri),
        artifact_root if settings.artifacts_uri is None else None,
    )


def _has(uri: str, table: str) -> bool:
    url = make_url(uri)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return False  # opening it would make it
    engine = database.connect(uri)
    try:
        return sa.inspect(engine).has_table(table)
    finally:
        engine.dispose()


def _rows(uri: str, query: sa.Executable) -> list[sa.Row]:
    engine = database.connect(uri)
    try:
        with engine.connect() as connection:
            return list(connection.execute(query))
    finally:
        engine.dispose()
