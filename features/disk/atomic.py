"""Files that exist whole or not at all, whatever happens to the process or the machine."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FLUSHED_AT_A_TIME = 16
PARTIAL = ".partial"  # suffix of a file that is still being written; one that is found after a crash may be removed


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Create or replace `path`; `write` writes the content into the file that it is given."""
    write_each_atomically({path: write})


def write_each_atomically(writes: Mapping[Path, Callable[[Path], object]]) -> None:
    """Create or replace every path; its function writes the content into the file that it is given.

    Each file is replaced atomically, but not all of them together.
    """
    partials = {path: path.with_name(path.name + PARTIAL) for path in writes}
    for path, write in writes.items():
        write(partials[path])
    flush(partials.values())
    for path, partial in partials.items():
        partial.replace(path)
    flush({path.parent for path in writes})


def flush(paths: Iterable[Path]) -> None:
    """Flush files and folders to the disk before going on; in parallel, so that the disk writes them together."""
    waiting = list(paths)
    with ThreadPoolExecutor(_FLUSHED_AT_A_TIME) as pool:
        for _ in pool.map(_flush, (waiting[first::_FLUSHED_AT_A_TIME] for first in range(_FLUSHED_AT_A_TIME))):
            pass


def _flush(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
