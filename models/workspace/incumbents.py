"""The registered versions: the one in force, the one that waits, and the policy that decides about a source.

A champion is always read by way of the ledger and verified (models/signoff/champion.py).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from lightgbm.basic import LightGBMError
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from models.criteria import Register
from models.dossier import Incumbent
from models.evidence import origins
from models.ledger import Keys, lifecycle, reading
from models.names import CHALLENGER, CHAMPION
from models.places import Places
from models.policy import Policy
from models.policy import load as load_policy
from models.registry import Registry
from models.signoff import champion as signed

# A version in one of these states is the outcome of a retraining from the same.
_STANDS = (lifecycle.State.CANDIDATE, lifecycle.State.AWAITING, lifecycle.State.APPROVED, lifecycle.State.CHAMPION)
Tell = Callable[[str], object]
# Reading a version that was not made here, or was made otherwise, ends with one of these.
_UNREADABLE = (MlflowException, OSError, ValueError, LookupError, TypeError, AttributeError, LightGBMError)


def registry_of(places: Places) -> Registry:
    """Return the installation's registry."""
    return Registry(places.tracking_uri, places.artifact_root)


def champion(places: Places, scratch: Path) -> Incumbent | None:
    """Return the version in force, by what was signed; None before the first promotion."""
    return _champion(places, registry_of(places), scratch)


def criteria(places: Places) -> Register:
    """Return what people have said of criteria, by the ledger; nothing where no sign-off server was ever started."""
    keys = Keys(places.signoff)
    if not keys.exist():
        return Register()
    return reading.signed_book(places.tracking_uri, keys, load_policy().signoff).criteria


def registered(places: Places, number: str, scratch: Path) -> Incumbent:
    """Return a version by its number, whatever became of it; MlflowException if there is none."""
    registry = registry_of(places)
    version = registry.version(number)
    registry.fetch_evidence(version, scratch)
    return _read(registry, version, "", scratch)


def challenger(places: Places, scratch: Path, tell: Tell) -> Incumbent | None:
    """Return the version that awaits sign-off; None if none does, or it cannot be read, of which `tell` is told."""
    return _challenger(registry_of(places), scratch, tell)


def watched(places: Places, scratch: Path, tell: Tell) -> Incumbent | None:
    """Return the version to watch: the champion, or before the first promotion the challenger."""
    registry = registry_of(places)
    return _champion(places, registry, scratch) or _challenger(registry, scratch / CHALLENGER, tell)


def last_registered(places: Places, scratch: Path, tell: Tell) -> Incumbent | None:
    """Return the version to start from: the challenger, or the champion if no challenger waits."""
    registry, folder = registry_of(places), scratch / "last"
    return _challenger(registry, folder, tell) or _champion(places, registry, folder)


def being_signed(places: Places) -> list[int]:
    """Return the versions that people are signing now, by the ledger; none where no sign-off server ever started."""
    keys = Keys(places.signoff)
    if not keys.exist():
        return []
    return reading.signed_book(places.tracking_uri, keys, load_policy().signoff).being_signed(datetime.now(UTC))


def of_the_same(places: Places, made_from: str) -> origins.Earlier | None:
    """Return the result of an earlier retraining from the same, compared with today's champion; None if there is none.

    A version that people refused, whose signatures ran out, or that another has replaced, does not count.
    """
    registry, keys = registry_of(places), Keys(places.signoff)
    if not keys.exist():  # no sign-off server was ever started, so nothing was ever signed
        return registry.made_from(made_from, None)
    book = reading.signed_book(registry.tracking_uri, keys, load_policy().signoff)
    champion = (book.champion, book.cases[book.champion].digest) if book.champion else None
    found = registry.made_from(made_from, champion)
    if found and found.version and book.state(int(found.version), datetime.now(UTC)) not in _STANDS:
        return None
    return found


def _champion(places: Places, registry: Registry, scratch: Path) -> Incumbent | None:
    folder = scratch / CHAMPION
    version = signed.fetch(registry, Keys(places.signoff), load_policy().signoff, folder)
    return _read(registry, version, CHAMPION, folder) if version else None


def _challenger(registry: Registry, folder: Path, tell: Tell) -> Incumbent | None:
    """Return the version that awaits sign-off, or None if none can be read: nothing depends on it, so nights go on."""
    number = registry.challenger_number()
    if number is None:
        return None
    try:
        version = registry.version(number)
        registry.fetch_evidence(version, folder)
        return _read(registry, version, CHALLENGER, folder)
    except _UNREADABLE as error:
        registry.challenger_number()  # raises if it is MLflow that does not answer
        tell(f"version {number}, the challenger, cannot be read, so this goes on without it: {error}")
        return None


def policy_of(source: str, places: Places, scratch: Path) -> Policy:
    """Return the policy that decides about a source: its champion's, as signed, or before there is one the disk's."""
    if not Keys(places.signoff).exist():  # nothing was ever signed, and perhaps there is no MLflow
        return load_policy()
    decides = champion(places, scratch)
    return decides.policy if decides and decides.source == source else load_policy()


def _read(registry: Registry, version: ModelVersion, alias: str, folder: Path) -> Incumbent:
    return Incumbent.read(version.version, alias, registry.run(version).data.params["source"], folder)
