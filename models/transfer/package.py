"""Files in one file, in the one way to write them: the same content is always the same bytes, and no others are read.

It is a tar archive of plain files, sorted by name, without anything of the machine that wrote it. Whoever reads it
writes it again and compares, so a byte that differs anywhere, also between the files, is found.
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

MOST_BYTES = 2_000_000_000


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return files by name, relative with `/`, as one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            described = tarfile.TarInfo(name)
            described.size = len(files[name])
            archive.addfile(described, io.BytesIO(files[name]))
    return out.getvalue()


def unpacked(file: Path) -> dict[str, bytes]:
    """Return the files in one; ValueError if it is not to the byte what `packed` makes of them."""
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file} has {file.stat().st_size:,} bytes; allowed: up to {MOST_BYTES:,}")
    content = file.read_bytes()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            files = {each.name: _content(archive, each) for each in archive.getmembers()}
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise ValueError(f"{file} is no exported version: {error}") from error
    if packed(files) != content:
        raise ValueError(f"{file} is not as `tidewaiter export` writes it: it was changed or cut short")
    return files


def _content(archive: tarfile.TarFile, each: tarfile.TarInfo) -> bytes:
    found = archive.extractfile(each) if each.isreg() else None
    if found is None or {"", ".", ".."} & set(each.name.split("/")):
        raise ValueError(f"{each.name!r} is no plain file below the archive")
    return found.read()
