"""Versions of the data folder, by DVC's Python API: `data.dvc` beside it names the one that is current.

A version is the md5 of the folder's content, as in `13bd...5612.dir`. Taking one copies what is new into the cache and
into the configured remote, so any version can be brought back, and by another clone too where the remote is shared. The
first use in a folder sets DVC up: no telemetry, cache and default remote in `.tidewaiter/`.
"""

import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo

from features.atomic import write_atomically

VERSION = re.compile(r"[0-9a-f]{32}\.dir")
_VERSION = re.compile(r"^- md5: ([0-9a-f]{32}\.dir)$", re.MULTILINE)
_PASSWORD = re.compile(r"//[^/@]*@")
_LOCK_ATTEMPTS = 10
_LOCK_WAIT_SECONDS = 1.0  # on top of the 6 s for which DVC itself waits
_SET_UP = {  # the configuration last: where it is, the others are
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvcignore": "# Left by an ingestion that was interrupted; no part of the data.\n.staging/\n*.partial\n",
    ".dvc/config": """\
[core]
    analytics = False
    remote = local
[cache]
    dir = ../.tidewaiter/dvc-cache
['remote "local"']
    url = ../.tidewaiter/dvc-remote
""",
}
_Result = TypeVar("_Result")

logging.getLogger("dvc").setLevel(logging.WARNING)  # its hints are for people at its own command line


class VersionError(RuntimeError):
    """A version cannot be taken or brought back; says which and why."""


def current(data: Path) -> str | None:
    """The version that `data.dvc` names, or None. Whether `data` still holds it is not looked at."""
    pointer = _pointer(data)
    found = _VERSION.search(pointer.read_text()) if pointer.exists() else None
    return found[1] if found else None


def snapshot(data: Path) -> str:
    """Version the folder `data` as it is, push it to the default remote, and return the version.

    What has a version already costs a look at the files only; `data.dvc` then keeps its bytes.
    """
    if not data.is_dir() or not any(data.iterdir()):
        raise VersionError(f"{data}: no data to take a version of; ingest some first")
    with _alone(data.parent):
        return _snapshot(data)


def checkout(data: Path, version: str) -> str | None:
    """Make `data` and `data.dvc` what they were at `version`; '.dir' may be left out.

    What is in `data` now becomes a version first, so nothing is lost: its name is returned, None if there was nothing.
    """
    wanted = version.removesuffix(".dir") + ".dir"
    if not VERSION.fullmatch(wanted):
        raise VersionError(f"{version!r} is not a version; one has 32 hexadecimal digits, with or without '.dir'")
    with _alone(data.parent):
        if not _run(data.parent, lambda repo: _is_there(repo, wanted)):
            known = ", ".join(_run(data.parent, _kept_here)) or "none"
            raise VersionError(f"version {wanted} is neither in the cache nor in the remote; kept here: {known}")
        before = _snapshot(data) if data.is_dir() and any(data.iterdir()) else None
        # The zeros hold the place of what the step after next fills in: DVC keeps the order of the lines.
        text = f"outs:\n- md5: {wanted}\n  size: 0\n  nfiles: 0\n  hash: md5\n  path: {data.name}\n"
        write_atomically(_pointer(data), lambda partial: partial.write_text(text))
        _run(data.parent, lambda repo: _bring_back(repo, str(_pointer(data).resolve())))
        # Writes the sizes into data.dvc, and shows that what came back is what was asked for.
        restored = _snapshot(data)
        if restored != wanted:
            raise VersionError(f"{data} holds {restored} after bringing back {wanted}")
        return before


def kept(data: Path) -> list[str]:
    """The versions that the cache here can bring back."""
    with _alone(data.parent):
        return _run(data.parent, _kept_here)


def exists(data: Path, version: str) -> bool:
    """Whether the cache or the remote has a version, as it is written in full. Takes no lock, and changes nothing."""
    root = data.parent
    if not VERSION.fullmatch(version) or not (root / ".dvc" / "config").exists():
        return False
    return _run(root, lambda repo: _is_there(repo, version))


def set_up(root: Path) -> None:
    """Make `root` a DVC repository if it is none. What is there already is left alone."""
    if (root / ".dvc" / "config").exists():
        return
    for name, text in _SET_UP.items():
        path = root / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda partial, text=text: partial.write_text(text))


def _snapshot(data: Path) -> str:
    pointer = _pointer(data)
    if pointer.exists() and current(data) is None:
        pointer.unlink()  # cut short by a crash; DVC would not read it

    def add_and_push(repo: Repo) -> str:
        version = str(repo.add(str(data.resolve()))[0].outs[0].hash_info.value)
        with _reaching_remote(repo):
            repo.push([str(pointer.resolve())])
        return version

    return _run(data.parent, add_and_push)


@contextmanager
def _alone(root: Path) -> Generator[None]:
    """Hold the DVC repository `root`, set up. DVC's own lock gives up after 6 s; this one waits."""
    set_up(root)
    descriptor = os.open(root / ".dvc", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run(root: Path, step: Callable[[Repo], _Result], attempts: int = _LOCK_ATTEMPTS) -> _Result:
    """One step in the DVC repository; tried again while a DVC command that someone runs by hand has it locked."""
    root = root.resolve()
    core = {"site_cache_dir": str(root / ".dvc" / "tmp" / "site"), "no_scm": not (root / ".git").exists()}
    try:
        with Repo(str(root), config={"core": core}) as repo:
            return step(repo)
    except LockError as error:
        if attempts == 1:
            raise VersionError(f"{root}: DVC is locked by another process: {error}") from error
    except DvcException as error:
        raise VersionError(f"{root}: DVC failed: {error}") from error
    time.sleep(_LOCK_WAIT_SECONDS)
    return _run(root, step, attempts - 1)


@contextmanager
def _reaching_remote(repo: Repo) -> Generator[None]:
    """VersionError that names the remote, whatever is raised: each kind of remote has errors of its own."""
    try:
        yield
    except LockError:
        raise
    except Exception as error:
        name = repo.config["core"].get("remote")
        address = _PASSWORD.sub("//", repo.config["remote"].get(name, {}).get("url", "no address"))
        raise VersionError(f"DVC's remote {name!r} ({address}) failed: {error or type(error).__name__}") from error


def _is_there(repo: Repo, version: str) -> bool:
    if repo.cache.local.exists(version):
        return True
    with _reaching_remote(repo):
        remote = repo.cloud.get_remote_odb()
        try:
            # Not remote.exists(): a remote that cannot be reached would be one that has nothing.
            remote.fs.info(remote.oid_to_path(version))
        except FileNotFoundError:
            return False
    return True


def _bring_back(repo: Repo, pointer: str) -> None:
    with _reaching_remote(repo):
        repo.fetch([pointer])
    repo.checkout([pointer], force=True)


def _kept_here(repo: Repo) -> list[str]:
    folder = Path(repo.cache.local.path)
    return sorted(f"{path.parent.name}{path.name}" for path in folder.glob("??/*.dir"))


def _pointer(data: Path) -> Path:
    return data.with_name(f"{data.name}.dvc")
