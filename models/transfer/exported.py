"""A version as another installation gets it: all that was sealed, and the ledger that says what people signed.

    ledger.jsonl    every row of the ledger up to the export, with its hash and signature
    run/...         the files of the version's run, seal and manifest included
    model/...       the files of its logged model
    version.json    which version it is

The whole ledger goes along, since a chain can only be verified from its first row. It shows who signed and who looked
after accounts, with network addresses, subjects of one sign-on and names of tokens, and what criteria officers want
inspected; and nothing of any declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from models.document import Document
from models.evidence import Manifest, digests, manifest, seal
from models.ledger import Book, Case, LedgerError, chain, lifecycle, reading
from models.policy import Signoff
from models.registry import Registry
from models.transfer import package

_LEDGER, _VERSION, _RUN, _MODEL = "ledger.jsonl", "version.json", "run", "model"
# A version that ended in another state is not worth bringing anywhere.
_SOUND = (
    lifecycle.State.AWAITING,
    lifecycle.State.EXPIRED,
    lifecycle.State.APPROVED,
    lifecycle.State.CHAMPION,
    lifecycle.State.SUPERSEDED,
)


class Named(Document):
    """The content of version.json."""

    version: int


class Origin(Document):
    """Where a version comes from: what the ledger there says of it, and how far it had come.

    `key` is the SHA-256 of the public key of that ledger, and `head` its last row. `signers` are those who had signed.
    """

    version: int
    state: str
    digest: str
    seal: str
    authors: tuple[str, ...]
    signers: tuple[str, ...]
    key: str
    head: chain.Head

    @property
    def sentence(self) -> str:
        """Return it in a few words, for the card."""
        return (
            f"version {self.version} of the installation with key `{self.key[:12]}`, {self.state} there at ledger row "
            f"{self.head.number} (`{self.head.hash[:12]}`), evidence `{self.digest[:12]}`"
        )


@dataclass(frozen=True)
class Exported:
    """A version that was found to be what its origin's ledger says. `folder` has its files, in run/ and model/."""

    origin: Origin
    manifest: Manifest
    folder: Path


def export(registry: Registry, book: Book, number: int, at: datetime, file: Path) -> Case:
    """Write a version into a file and return its case.

    ValueError if the version is not opened, has ended, or is not as it was sealed.
    """
    case = _sound(book, number, at)
    version = registry.version(str(number))
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        folder = Path(scratch)
        registry.fetch_stored(version, folder / _RUN, folder / _MODEL)
        _verify(folder, case)
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rows = reading.rows(registry.tracking_uri)
    files[_LEDGER] = b"".join(row.model_dump_json().encode() + b"\n" for row in rows)
    files[_VERSION] = digests.canonical(Named(version=number).model_dump())
    file.write_bytes(package.packed(files))
    return case


def read(file: Path, key: Ed25519PublicKey, head: chain.Head, policy: Signoff, at: datetime, folder: Path) -> Exported:
    """Return a version from a file, with its evidence in `folder`, once everything of it was verified.

    `key` and `head` are the origin's, and came by another way than the file: the chain must be signed by the one, and
    reach the other. ValueError, or LedgerError, says what is not as it should be.
    """
    files = package.unpacked(file)
    missing = [name for name in (_LEDGER, _VERSION) if name not in files]
    if missing:
        raise ValueError(f"{file} is no exported version: it lacks {', '.join(missing)}")
    try:
        rows = [chain.Row.model_validate_json(line) for line in files.pop(_LEDGER).splitlines()]
        number = Named.model_validate_json(files.pop(_VERSION)).version
    except ValidationError as error:
        raise ValueError(f"{file} is no exported version: {error.errors()[0]['msg']}") from error
    chain.check_head(rows, head)
    book = reading.replay(rows, key, policy)
    if not rows:
        raise LedgerError("the ledger of the origin is empty")
    case = _sound(book, number, at)
    _lay_out(files, folder)
    stated = _verify(folder, case)
    origin = Origin(
        version=number,
        state=book.state(number, at).value,
        digest=case.digest,
        seal=case.seal or "",
        authors=case.authors,
        signers=tuple(signature.user for signature in case.approvals),
        key=fingerprint(key),
        head=chain.Head(number=rows[-1].number, hash=rows[-1].hash),
    )
    return Exported(origin, stated, folder)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 over a public key in its DER form, in hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return digests.bytes_digest(key.public_bytes(serialization.Encoding.DER, form))


def _sound(book: Book, number: int, at: datetime) -> Case:
    case = book.cases.get(number)
    if case is None:
        raise ValueError(f"version {number} has not been opened: its evidence was never verified")
    if book.state(number, at) not in _SOUND:
        raise ValueError(f"version {number} is {book.state(number, at)}; allowed: {', '.join(_SOUND)}")
    if case.seal is None:
        raise ValueError(f"version {number} was never sealed, so not all of it can be verified: retrain")
    return case


def _verify(folder: Path, case: Case) -> Manifest:
    """Return the manifest of a version's files; ValueError unless they are what the case was opened over."""
    sealed = seal.read(folder / _RUN)
    if sealed is None or sealed.digest != case.seal:
        raise ValueError(f"version {case.version} was opened under seal {case.seal}, and its files have another")
    for what, part, stated in (("run", _RUN, sealed.run), ("model", _MODEL, sealed.model)):
        found = seal.listed(folder / part)
        if found != stated:
            name = min(name for name in found.keys() | stated.keys() if found.get(name) != stated.get(name))
            raise ValueError(f"{name} of the {what} of version {case.version} is not what was sealed")
    found = manifest.read((folder / _RUN / manifest.MANIFEST_FILE).read_bytes())
    if found.digest != case.digest:
        raise ValueError(f"version {case.version} was opened over evidence {case.digest}, and this is {found.digest}")
    return found


def _lay_out(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        if name.split("/")[0] not in (_RUN, _MODEL):
            raise ValueError(f"{name!r} is no part of an exported version")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
