"""The secrets of a sign-off server: made once, kept in one folder that only its owner can read.

The administrator's password is not among them: it is shown when it is made, and kept nowhere.
"""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from features.atomic import PARTIAL, flush
from models.signoff.chain import Head

_PRIVATE, _PUBLIC, _HEAD = "ledger.key", "ledger.pub", "head.json"
_FORM_SECRET, _SERVICE_PASSWORD = "form.secret", "service.password"
_NO_ROWS = Head(number=0, hash="0" * 64)


@dataclass(frozen=True)
class Keys:
    """The files of one folder. ValueError where one of them is missing or not what it should be."""

    folder: Path

    @property
    def head_file(self) -> Path:
        """Where the ledger's last row is noted, outside the database."""
        return self.folder / _HEAD

    @property
    def public_key_file(self) -> Path:
        return self.folder / _PUBLIC

    @property
    def private_key(self) -> Ed25519PrivateKey:
        content = self._read(_PRIVATE)
        try:
            key = load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(f"{self.folder / _PRIVATE} is not an Ed25519 key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{self.folder / _PRIVATE} is not an Ed25519 key")
        return key

    @property
    def public_key(self) -> Ed25519PublicKey:
        return read_public_key(self.public_key_file)

    @property
    def form_secret(self) -> str:
        """What MLflow signs its forms with."""
        return self._read(_FORM_SECRET).decode()

    @property
    def service_password(self) -> str:
        """Of the account that the flows use."""
        return self._read(_SERVICE_PASSWORD).decode()

    def exist(self) -> bool:
        """Whether a sign-off server was started with this folder before."""
        return self.folder.is_dir() and any(self.folder.iterdir())

    def make(self) -> None:
        """Make the folder, whole or not at all; one that has anything in it stays as it is, and reading judges it.

        So that a lost key is never replaced by another: the rows that it signed could not be verified any more.
        """
        if self.exist():
            return
        partial = self.folder.with_name(self.folder.name + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        key = Ed25519PrivateKey.generate()
        contents = {
            _FORM_SECRET: secrets.token_urlsafe(32).encode(),
            _SERVICE_PASSWORD: secrets.token_urlsafe(24).encode(),
            _HEAD: _NO_ROWS.model_dump_json().encode(),
            _PUBLIC: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            _PRIVATE: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        }
        for name, content in contents.items():
            (partial / name).touch(0o600)
            (partial / name).write_bytes(content)
        flush([*(partial / name for name in contents), partial])
        partial.replace(self.folder)
        flush([self.folder.parent])

    def _read(self, name: str) -> bytes:
        file = self.folder / name
        if not file.exists() or not file.stat().st_size:
            raise ValueError(
                f"{file} is missing or empty: bring the folder back from a backup, as nothing else can make it again"
            )
        for path, allowed in ((self.folder, 0o700), (file, 0o600)):
            if (mode := path.stat().st_mode & 0o777) & 0o077:
                raise ValueError(f"{path} is open to others (mode {mode:o}); allowed: {allowed:o}")
        return file.read_bytes()


def read_public_key(file: Path) -> Ed25519PublicKey:
    """An Ed25519 public key from a PEM file; ValueError where it is none."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{file} is not an Ed25519 public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{file} is not an Ed25519 public key")
    return key
