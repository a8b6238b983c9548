"""What a machine may refuse: room on a disk, memory, writing to a file system, and access to a database in time.

Libraries wrap such refusals in errors of their own, so they are recognised by the words of the kernel and of SQLite.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flows.settings import Settings

LEAST_FREE_BYTES = 500 * 2**20  # with less, the next night will hardly end well
_FULL_BYTES = 2**20

_AGAIN = "What was done is kept: the same command goes on from there"
_REFUSALS = {
    (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "database or disk is full"): (
        f"the disk is full; make room ({{room}}). {_AGAIN}"
    ),
    (os.strerror(errno.EROFS), "readonly database"): (
        f"a file system cannot be written to; have it mounted for writing. {_AGAIN}"
    ),
    (
        os.strerror(errno.ENOMEM),
        "bad_alloc",
        "bad allocation",
        "ut of memory",
        "Unable to allocate",
    ): (f"there is not enough memory; docs/scale.md says how much a number of declarations takes. {_AGAIN}"),
    ("database is locked",): f"another program has had the database locked for too long; end it. {_AGAIN}",
}


def refusal(error: BaseException, settings: Settings) -> str | None:
    """Return the sentence to show if the machine caused an error, or one that led to it; None if it did not.

    If the temporary server of a run meets a full disk, its client learns only that it failed. So a disk on which
    nothing can be written now is reported with whatever error there is.
    """
    for each in _chain(error):
        said = f"Out of memory {each}".strip() if isinstance(each, MemoryError) else str(each)
        for words, sentence in _REFUSALS.items():
            if any(word in said for word in words):
                line = next(line for line in said.splitlines() if any(word in line for word in words))
                return f"{line.strip()[:300]}: {sentence.format(room=room(settings))}"
    if told := "; ".join(unfit(settings, _FULL_BYTES)):
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}: {told}. {_AGAIN}"
    return None


def room(settings: Settings) -> str:
    """Say how much room is left where a run writes."""
    free = (f"{folder}: {shutil.disk_usage(folder).free / 2**20:,.0f} MB free" for folder in folders(settings))
    return ", ".join(free)


def unfit(settings: Settings, least_bytes: int) -> Iterator[str]:
    """Yield the reasons why nights cannot write, or will not be able to for long."""
    for folder in folders(settings):
        found = os.statvfs(folder)
        free = found.f_bavail * found.f_frsize
        if found.f_flag & os.ST_RDONLY:
            yield f"{folder} is on a file system that cannot be written to"
        elif free < least_bytes:
            yield f"{folder} has {free / 2**20:,.0f} MB left; make room: nights need {LEAST_FREE_BYTES / 2**20:,.0f} MB"


def folders(settings: Settings) -> list[Path]:
    """Return the folders that runs write to and that exist."""
    named = (settings.state_folder, settings.data_folder, Path(tempfile.gettempdir()))
    return [folder.absolute() for folder in named if folder.exists()]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
