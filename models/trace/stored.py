"""What an installation has kept of a version: its files, the data that it learned from, and the code that made it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.exceptions import MlflowException

from features.store import versioning
from models.evidence import Manifest, manifest, source_code
from models.ledger import Case
from models.places import Places
from models.registry import Registry
from models.retention import TOMBSTONES, Tombstones
from models.signoff import champion
from models.trace.links import Broken, Link, NotChecked, Purged, judged


def read(registry: Callable[[], Registry], number: int) -> bytes:
    """Return the stored manifest of a version; FileNotFoundError if there is none."""
    try:
        return registry().file(registry().version(str(number)), manifest.MANIFEST_FILE)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise FileNotFoundError(f"MLflow has no version {number} any more") from error


def links(
    registry: Callable[[], Registry], places: Places, case: Case | None, evidence: Manifest | None
) -> Iterator[Link]:
    """Yield what can be checked of a version beyond its manifest.

    `case` is the ledger's, and `evidence` the manifest that was signed; each is None where it is not known.
    """
    yield judged(
        "files", "", "Every file of the version and of its run is as it was sealed.", lambda: _files(registry, case)
    )
    version = evidence.data_version if evidence else ""
    yield judged("data", version, "The data that it learned from are kept.", lambda: _data(places, evidence))
    commit = evidence.code.commit if evidence else ""
    yield judged("code", commit, "The commit holds the code that made it.", lambda: _code(evidence))


def _files(registry: Callable[[], Registry], case: Case | None) -> None:
    if case is None:
        raise NotChecked("the ledger does not say what was signed")
    with TemporaryDirectory(prefix="tidewaiter-") as folder:
        try:
            champion.fetch_signed(registry(), case, Path(folder))
        except ValueError as error:
            raise Broken(str(error).splitlines()[0]) from error
        except (MlflowException, OSError) as error:
            raise NotChecked(f"they could not be read: {str(error).splitlines()[0]}") from error


def _data(places: Places, evidence: Manifest | None) -> None:
    known = _known(evidence)
    version = known.data_version
    if not (places.data.resolve().parent / ".dvc" / "config").exists():
        raise NotChecked(f"no versions of {places.data} are kept here")
    try:
        is_there = versioning.exists(places.data, version, places.state)
    except versioning.VersionError as error:
        raise NotChecked(str(error)) from error
    if is_there:
        return
    try:
        tombstone = Tombstones(places.state / TOMBSTONES).find("versions", version, known.last_day)
    except ValueError as error:
        raise Broken(str(error)) from error
    if tombstone:
        raise Purged(tombstone.sentence)
    raise Broken(f"neither DVC's cache nor its remote has version {version}")


def _code(evidence: Manifest | None) -> None:
    code = _known(evidence).code
    if code.is_dirty:
        raise NotChecked("some of the code was not committed when the model was trained")
    with source_code.committed(code.commit, source_code.PROJECT) as folder:
        if folder is None:
            raise NotChecked(f"git knows no commit {code.commit} here")
        found = source_code.source_digest(folder)
    if found != code.source_sha256:
        raise Broken(f"the commit's code has the digest {found}, and the evidence names {code.source_sha256}")


def _known(evidence: Manifest | None) -> Manifest:
    if evidence is None:
        raise NotChecked("the evidence does not say which")
    return evidence
