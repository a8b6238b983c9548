"""The files of a sign-off server: made once, in one folder.

    signoff/          what anybody may read who is to check the ledger: its public key, and how far it had come
    signoff/secret/   for the service's user alone: the ledger's key, the other secrets, the signer's socket

Runs read the first folder, and if they have a user of their own (setting `run_as`) they cannot read the second. An
older folder, from before there was the second, has all files in the first, closed to others; `make` puts it in order.

The administrator's password is not among the files: it is shown when it is made, and kept nowhere.
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

from features.disk import PARTIAL, atomic
from models.ledger.chain import Head

_PRIVATE, _PUBLIC, _HEAD = "ledger.key", "ledger.pub", "head.json"
_FORM_SECRET, _SERVICE_PASSWORD = "form.secret", "service.password"
_SECRETS = (_PRIVATE, _FORM_SECRET, _SERVICE_PASSWORD)
_SECRET_FOLDER, _SOCKET = "secret", "signer.sock"
_NO_ROWS = Head(number=0, hash="0" * 64)


@dataclass(frozen=True)
class Keys:
    """The files of one folder. ValueError if one of them is missing or not what it should be."""

    folder: Path

    @property
    def secret_folder(self) -> Path:
        return self.folder / _SECRET_FOLDER

    @property
    def socket_file(self) -> Path:
        """Return the socket at which the signer listens."""
        return self.secret_folder / _SOCKET

    @property
    def head_file(self) -> Path:
        """Return the file that notes the ledger's last row, outside the database."""
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
            raise ValueError(f"{self.secret_folder / _PRIVATE} is not an Ed25519 key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{self.secret_folder / _PRIVATE} is not an Ed25519 key")
        return key

    @property
    def public_key(self) -> Ed25519PublicKey:
        return read_public_key(self.public_key_file)

    @property
    def form_secret(self) -> str:
        """Return the secret with which MLflow signs its forms."""
        return self._read(_FORM_SECRET).decode()

    @property
    def service_password(self) -> str:
        """Return the password of the account that the flows use."""
        return self._read(_SERVICE_PASSWORD).decode()

    def exist(self) -> bool:
        """Whether a sign-off server was started with this folder before."""
        return self.folder.is_dir() and any(self.folder.iterdir())

    def make(self) -> None:
        """Make the folder, whole or not at all. One that has anything in it stays as it is, and reading judges it.

        Thus a lost key is never replaced by another: the rows that it signed could not be verified any more.
        """
        if self.exist():
            self._put_in_order()
            return
        partial = self.folder.with_name(self.folder.name + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o755, parents=True)
        (partial / _SECRET_FOLDER).mkdir(mode=0o700)
        key = Ed25519PrivateKey.generate()
        contents = {
            _FORM_SECRET: secrets.token_urlsafe(32).encode(),
            _SERVICE_PASSWORD: secrets.token_urlsafe(24).encode(),
            _HEAD: _NO_ROWS.model_dump_json().encode(),
            _PUBLIC: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            _PRIVATE: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        }
        files = {name: (partial / _SECRET_FOLDER if name in _SECRETS else partial) / name for name in contents}
        for name, file in files.items():
            file.touch(0o600)
            file.write_bytes(contents[name])
        self._open_to_readers(partial)
        atomic.flush([*files.values(), partial / _SECRET_FOLDER, partial])
        partial.replace(self.folder)
        atomic.flush([self.folder.parent])

    def check(self) -> None:
        """Raise ValueError if others can read a secret or write anything, or if something is missing."""
        for name in _SECRETS:
            self._read(name)
        for path in (self.folder, self.public_key_file, self.head_file):
            if not path.exists():
                raise ValueError(f"{path} is missing: bring the folder back from a backup")
            if (mode := path.stat().st_mode & 0o777) & 0o022:
                raise ValueError(f"{path} can be written by others (mode {mode:o}); allowed: {mode & ~0o022:o}")

    def _put_in_order(self) -> None:
        """Move the secrets of an older folder to their place; a move that was killed half-way is found, and goes on."""
        self.secret_folder.mkdir(mode=0o700, exist_ok=True)
        for name in _SECRETS:
            if (self.folder / name).exists():
                self._read(name)  # a secret that was open to others is reported and not moved
                (self.folder / name).replace(self.secret_folder / name)
        atomic.flush([self.secret_folder, self.folder])
        if self.folder.stat().st_mode & 0o777 == 0o700:
            self._open_to_readers(self.folder)

    def _open_to_readers(self, folder: Path) -> None:
        for name in (_PUBLIC, _HEAD):
            if (folder / name).exists():
                (folder / name).chmod(0o644)
        folder.chmod(0o755)

    def _read(self, name: str) -> bytes:
        """Return a secret, from its present or its earlier place."""
        file = self.secret_folder / name
        if not file.exists() and (self.folder / name).exists():
            file = self.folder / name
        if not file.exists() or not file.stat().st_size:
            raise ValueError(
                f"{file} is missing or empty: bring the folder back from a backup, as nothing else can make it again"
            )
        for path, allowed in ((file.parent, 0o700), (file, 0o600)):
            if (mode := path.stat().st_mode & 0o777) & 0o077:
                raise ValueError(f"{path} is open to others (mode {mode:o}); allowed: {allowed:o}")
        return file.read_bytes()


def read_public_key(file: Path) -> Ed25519PublicKey:
    """Return an Ed25519 public key from a PEM file; ValueError if it is none."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{file} is not an Ed25519 public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{file} is not an Ed25519 public key")
    return key
