"""Input files on object storage, found by address or pattern, and on this machine only while they are read.

The code that reads any file reads them too. It moves back and forth in a file, so each object is downloaded when its
turn comes.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import fsspec

from features.reading.csv_dialect import ReadError

SCHEME = "s3://"


@dataclass(frozen=True)
class StoredObject:
    """An object by its address, `s3://bucket/key`, as it was when it was found."""

    address: str
    etag: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.address).name

    def match(self, pattern: str) -> bool:
        """Match the address as Path.match does."""
        return PurePosixPath(self.address).match(pattern)

    @contextmanager
    def downloaded(self) -> Generator[Path]:
        """Give the path of a copy until the block ends; ReadError if the object is no longer the one that was found."""
        with TemporaryDirectory(prefix="tidewaiter-") as folder:
            path = Path(folder, self.name)
            with _reaching(self.address):
                storage = _storage()
                storage.get_file(self.address, str(path))
                etag = storage.info(self.address)["ETag"]
            if etag != self.etag:
                raise ReadError(f"{self.address}: the object changed meanwhile; ingest it when it is complete")
            yield path


def find(pattern: str) -> list[StoredObject]:
    """Return the objects at an address or pattern, none if there are none; ReadError if the storage refuses."""
    with _reaching(pattern):
        storage = _storage()
        try:
            # A name that exists is no pattern, whatever brackets it has.
            found = {pattern: storage.info(pattern)}
        except FileNotFoundError:
            found = storage.glob(pattern, detail=True)
    if found.get(pattern, {}).get("type") == "directory":
        raise ValueError(f"{pattern!r} is a folder; name its objects, as in '{pattern.rstrip('/')}/*.csv'")
    return [
        StoredObject(f"{SCHEME}{name.removeprefix(SCHEME)}", about["ETag"])
        for name, about in found.items()
        if about["type"] == "file"
    ]


def _storage() -> fsspec.AbstractFileSystem:
    # No credentials and listings of an earlier use are kept: the present state counts.
    return fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)


@contextmanager
def _reaching(address: str) -> Generator[None]:
    """Raise ReadError with the address for any error; the storage's library raises those of several others."""
    try:
        yield
    except Exception as error:
        raise ReadError(f"{address}: the object storage cannot be read: {error or type(error).__name__}") from error
