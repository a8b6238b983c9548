"""Why the version in force scores a stored declaration as it does, for an officer at a terminal."""

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from features.matrix import cache
from features.store import Store
from features.validation import amounts
from flows.progress import stage
from flows.settings import Settings
from flows.steps import incumbents
from models.dossier import assessment
from models.reasons import reasons
from models.registry import Registry
from models.risk import feature_code

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Explained:
    """The items of a declaration, the model's `predictions` for each, and the `reasons` for them (models.reasons)."""

    version: str
    alias: str
    importer_id: str
    predictions: pl.DataFrame
    reasons: pl.DataFrame


def explain(settings: Settings, source: str, declaration_id: str, language: str) -> Explained:
    """Return the champion's reasons for a declaration, or before the first promotion the challenger's.

    Raises LookupError if no version is registered, nothing of the source is stored, or the declaration is not stored.
    """
    store = Store(settings.data_folder / source)
    if not store.days():
        raise LookupError(f"{store.root} holds no declarations; retrain on source {source} first")
    amounts.of_store(store)  # refuses several currencies
    registry = Registry(settings.tracking_uri, settings.artifact_root)
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        version = _version(settings, registry, Path(scratch), source)
        if remark := feature_code.check(version.model, f"{version.alias} version {version.version}", source):
            _log.warning(remark)
        with stage("Compute features") as advance:
            delay = version.policy.features.label_delay_days
            built = cache.build(store, delay, settings.features_folder(source, delay), advance)
        items = built.scan().filter(pl.col("declaration_id") == declaration_id).collect()
        if items.is_empty():
            raise LookupError(f"declaration {declaration_id!r} is not stored in {store.root}")
        own = store.scan("declarations").filter(pl.col("declaration_id") == declaration_id).select("importer_id")
        importer: str = own.first().collect().item()
        return Explained(
            version.version,
            version.alias,
            importer,
            version.model.predict(items),
            reasons(version.model, items, language),
        )


def _version(settings: Settings, registry: Registry, scratch: Path, source: str) -> assessment.Incumbent:
    found = incumbents.watched(settings, registry, scratch, _log.warning)
    if found is None or found.source != source:
        raise LookupError(f"no version that learned from source {source} is in force; retrain on it first")
    return found
