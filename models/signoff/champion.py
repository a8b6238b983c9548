"""The one way to a champion: by the ledger and the digest that was signed, never by the alias alone.

Everything is verified before anything is read as a model; what is read then is the risk model's own text files, not
the code that is stored with them.
"""

from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from models.evidence import seal
from models.policy import Signoff
from models.registry.registry import Registry
from models.signoff import reading
from models.signoff.book import Case
from models.signoff.keys import Keys


def fetch(registry: Registry, keys: Keys, policy: Signoff, folder: Path) -> ModelVersion | None:
    """The champion of the ledger, its verified evidence folder copied into `folder`; None before the first one.

    Raises LedgerError where the ledger is not whole, ValueError where the evidence is not what was signed.
    """
    if not keys.exist():  # no sign-off server was ever started, so nothing was ever signed
        return None
    book = reading.signed_book(registry.tracking_uri, keys, policy)
    return fetch_signed(registry, book.cases[book.champion], folder) if book.champion else None


def fetch_signed(registry: Registry, case: Case, folder: Path) -> ModelVersion:
    """The version of a case, its evidence folder copied into `folder`; ValueError where it is not what was signed."""
    if case.is_void:
        raise ValueError(f"the evidence of version {case.version} was altered after it was signed, so nobody loads it")
    version = registry.version(str(case.version))
    manifest = registry.fetch_evidence(version, folder)
    if manifest.digest != case.digest:
        raise ValueError(
            f"version {case.version} was signed over evidence {case.digest}, and what is stored is {manifest.digest}"
        )
    sealed = seal.read(folder)  # found to be over what is stored, if it is there
    if case.seal and (sealed is None or sealed.digest != case.seal):
        found = sealed.digest if sealed else "none"
        raise ValueError(f"version {case.version} was opened under seal {case.seal}, and what is stored is {found}")
    return version
