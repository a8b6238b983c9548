"""Why the version in force scores a stored declaration as it does, for an officer at a terminal."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from features.store import Store
from flows.progress import stage
from flows.settings import Settings
from models.workspace import Explained, Workspace, feature_code, incumbents, why_empty

_log = logging.getLogger(__name__)


def explain(settings: Settings, source: str, declaration_id: str, language: str) -> Explained:
    """Return the champion's reasons for a declaration, or before the first promotion the challenger's.

    Raises LookupError if no version is registered, nothing of the source is stored, or the declaration is not stored.
    """
    places = settings.places
    if why := why_empty(Store(places.store(source))):
        raise LookupError(why)
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        version = incumbents.watched(places, Path(scratch), _log.warning)
        if version is None or version.source != source:
            raise LookupError(f"no version that learned from source {source} is in force; retrain on it first")
        if remark := feature_code.check(version.model, f"{version.alias} version {version.version}", source):
            _log.warning(remark)
        with stage("Compute features") as advance:
            return Workspace(places, version.policy, source).explain(version, declaration_id, language, advance)
