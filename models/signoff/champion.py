"""The one way to a champion: by the ledger and the digest that was signed, never by the alias alone.

Everything is verified before anything is read as a model. Then only the risk model's own text files are read, and not
the code that is stored with them.
"""

from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from models.evidence import seal
from models.ledger import Case, Keys, reading
from models.policy import Signoff
from models.registry import Registry


def fetch(registry: Registry, keys: Keys, policy: Signoff, folder: Path) -> ModelVersion | None:
    """Return the ledger's champion, with its verified evidence folder copied into `folder`; None before the first.

    Raises LedgerError if the ledger is not whole, ValueError if the evidence is not what was signed.
    """
    if not keys.exist():  # no sign-off server was ever started, so nothing was ever signed
        return None
    book = reading.signed_book(registry.tracking_uri, keys, policy)
    return fetch_signed(registry, book.cases[book.champion], folder) if book.champion else None


def fetch_signed(registry: Registry, case: Case, folder: Path) -> ModelVersion:
    """Return a case's version, and copy its evidence into `folder`; ValueError if it is not what was signed."""
    if case.is_void:
        raise ValueError(f"the evidence of version {case.version} was altered after it was signed, so nobody loads it")
    version = registry.version(str(case.version))
    manifest = registry.fetch_evidence(version, folder)
    if manifest.digest != case.digest:
        raise ValueError(
            f"version {case.version} was signed over evidence {case.digest}, and what is stored is {manifest.digest}"
        )
    sealed = seal.read(folder)  # if it exists, it was found to match what is stored
    if case.seal and (sealed is None or sealed.digest != case.seal):
        found = sealed.digest if sealed else "none"
        raise ValueError(f"version {case.version} was opened under seal {case.seal}, and what is stored is {found}")
    return version
