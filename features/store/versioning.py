"""Versions of the data folder, by DVC's Python API.

A version is the md5 of the folder's content, as in `13bd...5612.dir`. Taking a version copies what is new into the
cache and into the configured remote, so any version can be brought back, also by another clone if the remote is shared.
Bringing a version back checks every byte: a spoilt file of the cache is fetched from the remote again, or named in the
error.

Cache, default remote, and the note on which version is current are in the state folder, by default `.tidewaiter` beside
the data. `data.dvc` beside the data belongs to git: it names the version that a clone begins with, and no run rewrites
it. The first use sets DVC up in `.dvc` beside the data, without telemetry.
"""

import fcntl
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.output import Output
from dvc.repo import Repo
from dvc.rwlock import RWLockFileCorruptedError
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from features.disk import write_atomically

VERSION = re.compile(r"[0-9a-f]{32}\.dir")
STATE = ".tidewaiter"
_NAMED = re.compile(r"^\s*- md5: ([0-9a-f]{32}\.dir)$", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})", re.MULTILINE)
_PASSWORD = re.compile(r"//[^/@]*@")
_LOCK_ATTEMPTS = 10
_LOCK_WAIT_SECONDS = 1.0  # in addition to the 6 s for which DVC itself waits
_MOST_NAMED = 3
_CACHE, _REMOTE = "dvc-cache", "dvc-remote"
_BEFORE = "before-"  # remotes for folders in which DVC kept versions earlier
_SET_UP = {  # the configuration comes last: if it exists, the others do
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
    """A version cannot be taken or brought back. The message says which and why."""


@dataclass(frozen=True)
class _Place:
    """A data folder and the state folder that keeps its versions."""

    data: Path
    state: Path

    @property
    def root(self) -> Path:
        return self.data.parent

    @property
    def committed(self) -> Path:
        """Return the file in which git names the version that a clone begins with."""
        return self.data.with_name(f"{self.data.name}.dvc")

    @property
    def noted(self) -> Path:
        """Return the file in which the state folder notes the version of this data folder; it may serve several."""
        digest = hashlib.sha256(str(self.data).encode()).hexdigest()
        return self.state / "versions" / f"{self.data.name}-{digest[:12]}.dvc"

    @property
    def old(self) -> Path:
        """Return the folder that kept versions before they went into the state folder."""
        return self.root / STATE


def _place(data: Path, state: Path | None) -> _Place:
    data = data.resolve()
    return _Place(data, (state or data.parent / STATE).resolve())


def current(data: Path, state: Path | None = None) -> str | None:
    """Return the version noted in `state` or, if there is none, the one that `data.dvc` names, or None.

    Whether `data` still holds it is not checked. Raises VersionError if git left a conflict in `data.dvc`.
    """
    place = _place(data, state)
    committed = _committed(place)
    return _named(place.noted) or committed


def taken(data: Path, state: Path | None = None) -> str | None:
    """Return the version noted in `state`: the last one that was taken or brought back here, or None."""
    return _named(_place(data, state).noted)


def snapshot(data: Path, state: Path | None = None) -> str:
    """Version the folder `data` as it is, push it to the default remote, and return the version.

    For a folder that has a version already, this costs only a look at the files.
    """
    if not data.is_dir() or not any(data.iterdir()):
        raise VersionError(f"{data}: no data to take a version of; ingest some first")
    place = _place(data, state)
    _committed(place)
    with _alone(place):
        return _snapshot(place)


def checkout(data: Path, version: str, state: Path | None = None) -> str | None:
    """Make `data` what it was at `version`, to the byte; '.dir' may be left out.

    The present content of `data` becomes a version first, so nothing is lost: its name is returned, None if there was
    nothing.
    """
    wanted = version.removesuffix(".dir") + ".dir"
    if not VERSION.fullmatch(wanted):
        raise VersionError(f"{version!r} is not a version; one has 32 hexadecimal digits, with or without '.dir'")
    place = _place(data, state)
    with _alone(place):
        if not _run(place, lambda repo: _is_there(repo, wanted)):
            raise _absent(place, wanted)
        before = _snapshot(place) if data.is_dir() and any(data.iterdir()) else None
        _run(place, lambda repo: _bring_back(repo, place, wanted))
        restored = _snapshot(place)
        if restored != wanted:
            raise VersionError(f"{data} holds {restored} after bringing back {wanted}")
        return before


def copy(data: Path, version: str, folder: Path, state: Path | None = None) -> None:
    """Write the files of a version of `data` into another folder, every byte compared; `data` stays as it is.

    VersionError if the version, as it is written in full, is not kept or not whole.
    """
    place = _place(data, state)
    if not exists(data, version, state):
        raise _absent(place, version)
    with _alone(place):
        _run(place, lambda repo: _copy(repo, place, version, folder))


def kept(data: Path, state: Path | None = None) -> list[str]:
    """Return the versions that the cache here can bring back."""
    return _kept(_place(data, state))


def exists(data: Path, version: str, state: Path | None = None) -> bool:
    """Whether the cache or a remote has a version, as it is written in full. This takes no lock and changes nothing."""
    place = _place(data, state)
    if not VERSION.fullmatch(version) or not (place.root / ".dvc" / "config").exists():
        return False
    return _run(place, lambda repo: _is_there(repo, version))


def listed(data: Path, version: str, state: Path | None = None) -> dict[str, str]:
    """Return the files of a version, by their path in `data`, with the md5 of each; VersionError if it is not kept."""
    place = _place(data, state)
    with _alone(place):
        return {path.as_posix(): md5 for path, md5 in _run(place, lambda repo: _listed(repo, place, version)).items()}


def spare(data: Path, state: Path | None = None) -> dict[str, date]:
    """Return the versions kept that are neither current nor named by git, each with the first day noted for it.

    That is the day on which it was taken, or on which a backup brought it back. The cache and every remote are asked,
    as `purge` does. Whether a model needs one of the versions is not asked here.
    """
    place = _place(data, state)
    if not (place.root / ".dvc" / "config").exists():
        return {}
    used = {current(data, state), _committed(place)}
    found = _run(place, _taken_on)
    return {version: day for version, day in found.items() if version not in used}


def purge(data: Path, versions: Collection[str], state: Path | None = None) -> int:
    """Delete versions from the cache and every remote, with the files that no other version needs; return how many.

    What another version needs is told by the lists of all others, here and in the remote: one that cannot be read ends
    this with VersionError before anything is deleted. The current version, and the one that git names, are refused.
    Killed at any point, it goes on when it is called again.
    """
    place = _place(data, state)
    if own := {current(data, state), _committed(place)} & set(versions):
        raise VersionError(f"version {own.pop()} is in use; allowed: others")
    with _alone(place):
        return _run(place, lambda repo: _purge(repo, place, set(versions)))


def set_up(root: Path) -> None:
    """Make `root` a DVC repository if it is none. Existing files are left alone."""
    if (root / ".dvc" / "config").exists():
        return
    for name, text in _SET_UP.items():
        path = root / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda partial, text=text: partial.write_text(text))


def _named(file: Path) -> str | None:
    found = _NAMED.search(file.read_text()) if file.exists() else None
    return found[1] if found else None


def _committed(place: _Place) -> str | None:
    """Return the version that `data.dvc` names; VersionError if it names two, since nobody merged them."""
    file = place.committed
    text = file.read_text() if file.exists() else ""
    if _CONFLICT.search(text):
        named = list(dict.fromkeys(_NAMED.findall(text)))
        raise VersionError(
            f"{file} has the marks of a conflict that git left, between {' and '.join(named) or 'no versions'}: keep "
            f"one of them by `git checkout --ours {file.name}` or `git checkout --theirs {file.name}`, then `git add "
            f"{file.name}`; the data of either come back by `tidewaiter data checkout VERSION`"
        )
    return _named(file)


def _snapshot(place: _Place) -> str:
    def add_and_push(repo: Repo) -> str:
        with repo.lock:
            output = _output(repo, place)
            output.stage.add_outs(str(place.data))
            version = _note(place, output)
            with _reaching_remote(repo):
                failed = repo.cloud.push(output.get_used_objs()[None]).failed
            if failed:
                raise VersionError(f"{len(failed)} files of version {version} could not be pushed to DVC's remote")
        return version

    return _run(place, add_and_push)


def _note(place: _Place, output: Output) -> str:
    """Note the version that was added, and return it.

    This comes before the push: the cache has the version, and what a failed push misses is pushed later.
    """
    assert output.hash_info  # it was added
    assert output.meta
    version, size, files = str(output.hash_info.value), output.meta.size, output.meta.nfiles
    if _named(place.noted) != version:
        # This is how DVC writes it, so that a copy may be committed as data.dvc.
        named = f"- md5: {version}\n  size: {size}\n  nfiles: {files}\n  hash: md5\n  path: {place.data.name}\n"
        place.noted.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place.noted, lambda partial: partial.write_text(f"outs:\n{named}"))
    return version


def _output(repo: Repo, place: _Place, version: str | None = None) -> Output:
    """Return the data folder as DVC sees it. DVC's own command would write `data.dvc`, which belongs to git."""
    stage = repo.stage.create(
        single_stage=True,
        validate=False,
        fname=str(place.committed),
        wdir=str(place.root),
        outs=[str(place.data)],
    )
    (output,) = stage.outs
    if version:
        output.hash_info = HashInfo("md5", version)
    return output


@contextmanager
def _alone(place: _Place) -> Generator[None]:
    """Hold the DVC repository of `place`, and set it up. DVC's own lock gives up after 6 s; this one waits."""
    set_up(place.root)
    descriptor = os.open(place.root / ".dvc", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run(place: _Place, step: Callable[[Repo], _Result], attempts: int = _LOCK_ATTEMPTS) -> _Result:
    """Run one step in the DVC repository; try again while a DVC command that someone runs by hand has it locked."""
    root = place.root
    try:
        with Repo(str(root), config=_configuration(place)) as repo:
            return step(repo)
    except LockError as error:
        if attempts == 1:
            raise VersionError(f"{root}: DVC is locked by another process: {error}") from error
    except RWLockFileCorruptedError as error:
        lock = root / ".dvc" / "tmp" / "rwlock"
        raise VersionError(
            f"{lock}: a command of DVC that was cut short left its lock empty or torn: see that none runs, and remove "
            f"the file (`rm {lock}`); nothing is lost with it"
        ) from error
    except DvcException as error:
        raise VersionError(f"{root}: DVC failed: {error}") from error
    time.sleep(_LOCK_WAIT_SECONDS)
    return _run(place, step, attempts - 1)


def _configuration(place: _Place) -> dict[str, dict[str, object]]:
    """Return the configuration that DVC gets beyond its files.

    If the files name the cache and the remote of `_SET_UP`, those of the state folder take their place.
    """
    root = place.root
    core = {"site_cache_dir": str(root / ".dvc" / "tmp" / "site"), "no_scm": not (root / ".git").exists()}
    written = Config(str(root / ".dvc"))
    cache, remotes = written.get("cache", {}), {}
    said: dict[str, dict[str, object]] = {"core": core}
    if _is_at(cache.get("dir"), place.old / _CACHE, root):
        said["cache"] = {"dir": str(place.state / _CACHE)}
    if _is_at(written.get("remote", {}).get("local", {}).get("url"), place.old / _REMOTE, root):
        remotes["local"] = {"url": str(place.state / _REMOTE)}
    if place.state != place.old:
        remotes |= {_BEFORE + name: {"url": str(place.old / name)} for name in (_CACHE, _REMOTE) if _has(place, name)}
    return said | {"remote": remotes}


def _is_at(written: object, folder: Path, root: Path) -> bool:
    """Whether a path in DVC's configuration, which is relative to `.dvc`, is `folder`."""
    return isinstance(written, str) and (root / ".dvc" / written).resolve() == folder


def _has(place: _Place, name: str) -> bool:
    return (place.old / name / "files" / "md5").is_dir()


@contextmanager
def _reaching_remote(repo: Repo, name: str | None = None) -> Generator[None]:
    """Raise VersionError that names the remote, whatever is raised: each kind of remote has errors of its own."""
    try:
        yield
    except (LockError, ObjectFormatError):
        raise
    except Exception as error:
        name = name or repo.config["core"].get("remote")
        address = _PASSWORD.sub("//", repo.config["remote"].get(name, {}).get("url", "no address"))
        raise VersionError(f"DVC's remote {name!r} ({address}) failed: {error or type(error).__name__}") from error


def _remotes(repo: Repo) -> Iterator[str | None]:
    """Yield the default remote, then folders where versions were kept before."""
    yield None
    yield from sorted(name for name in repo.config["remote"] if name.startswith(_BEFORE))


def _absent(place: _Place, version: str) -> VersionError:
    known = ", ".join(_kept(place)) or "none"
    return VersionError(f"version {version} is neither in the cache nor in the remote; kept here: {known}")


def _is_there(repo: Repo, version: str) -> bool:
    return repo.cache.local.exists(version) or any(_has_object(repo, name, version) for name in _remotes(repo))


def _has_object(repo: Repo, remote: str | None, oid: str) -> bool:
    with _reaching_remote(repo, remote):
        odb = repo.cloud.get_remote_odb(remote)
        try:
            # odb.exists() is not used: it would take a remote that cannot be reached for one that has nothing.
            odb.fs.info(odb.oid_to_path(oid))
        except FileNotFoundError:
            return False
    return True


def _bring_back(repo: Repo, place: _Place, version: str) -> None:
    files = _listed(repo, place, version)
    with repo.lock:
        output = _output(repo, place, version)
        _make_good(repo, version, {oid: str(file) for file, oid in files.items()})
        output.checkout(force=True)
        # DVC does not touch files that it thinks it knows, even if their bytes have changed unnoticed.
        if changed := _other({place.data / file: oid for file, oid in files.items()}):
            for file in changed:
                file.unlink(missing_ok=True)
            output.checkout(force=True)
            if still := _other(changed):
                raise VersionError(f"{next(iter(still))} does not hold what was written to it: is the disk failing?")


def _copy(repo: Repo, place: _Place, version: str, folder: Path) -> None:
    files = _listed(repo, place, version)
    with repo.lock:
        _make_good(repo, version, {oid: str(file) for file, oid in files.items()})
        for file, oid in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repo.cache.local.oid_to_path(oid), folder / file)
    if changed := _other({folder / file: oid for file, oid in files.items()}):
        raise VersionError(f"{next(iter(changed))} does not hold what was written to it: is the disk failing?")


def _taken_on(repo: Repo) -> dict[str, date]:
    """Return the versions in the cache and every remote, each with the day on which its oldest list was written."""
    found: dict[str, date] = {}
    with _reaching_remote(repo):
        for odb in _everywhere(repo):
            for oid in filter(VERSION.fullmatch, odb.all()):
                day = odb.fs.modified(odb.oid_to_path(oid)).astimezone().date()
                found[oid] = min(day, found.get(oid, day))
    return found


def _everywhere(repo: Repo) -> list[HashFileDB]:
    return [repo.cache.local, *(repo.cloud.get_remote_odb(name) for name in _remotes(repo))]


def _purge(repo: Repo, place: _Place, versions: set[str]) -> int:
    with _reaching_remote(repo):
        places = _everywhere(repo)
        known = {oid for odb in places for oid in odb.all() if VERSION.fullmatch(oid)}
    lists = {version: set(_listed(repo, place, version).values()) for version in sorted(known)}
    needed = {oid for version, files in lists.items() if version not in versions for oid in files}
    going = [version for version in lists if version in versions]
    doomed = sorted({oid for version in going for oid in lists[version]} - needed)
    # The lists come last, and the one here last of all, so that what was begun is still known here and can be ended.
    for oid in (*doomed, *going):
        for odb in reversed(places):
            path = odb.oid_to_path(oid)
            if odb.fs.exists(path):
                odb.fs.remove(path)
    return len(doomed)


def _listed(repo: Repo, place: _Place, version: str) -> dict[Path, str]:
    """Return the md5 of each file of a version."""
    with repo.lock:
        _make_good(repo, version, {version: "the list of its files"})
        tree = _output(repo, place, version).get_obj()
    assert isinstance(tree, Tree)  # a version's name ends in .dir
    return {Path(*key): str(oid.value) for key, _, oid in tree}


def _make_good(repo: Repo, version: str, objects: Mapping[str, str]) -> None:
    """Make sure that each of `objects` (a description, by md5) is whole in the cache; fetch others from a remote.

    Raises VersionError that names those of which there is no whole copy.
    """
    cache = repo.cache.local
    paths = {Path(cache.oid_to_path(oid)): oid for oid in objects}
    bad = _other(paths)
    for remote in _remotes(repo):
        there = {path: oid for path, oid in bad.items() if _has_object(repo, remote, oid)}
        for path in there:
            path.unlink(missing_ok=True)
        if there:
            with suppress(ObjectFormatError), _reaching_remote(repo, remote):  # the remote's copy may be spoilt as well
                repo.cloud.pull([HashInfo("md5", oid) for oid in there.values()], remote=remote)
            bad = _other(bad)
    if bad:
        named = [f"{objects[oid]} ({path})" for path, oid in bad.items()]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        raise VersionError(
            f"version {version} is spoilt or not whole: {', '.join(named[:_MOST_NAMED])}{more}. Neither the cache nor "
            "a remote has the bytes that were stored; put the files named there back from a backup, or choose another "
            "version (`tidewaiter data list`)"
        )


def _other(expected: Mapping[Path, str]) -> dict[Path, str]:
    """Return the files that do not exist or whose bytes have another md5 than expected."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(_md5, expected)
        return {path: oid for (path, oid), md5 in zip(expected.items(), found, strict=True) if md5 != oid[:32]}


def _md5(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except FileNotFoundError:
        return None


def _kept(place: _Place) -> list[str]:
    return sorted(_kept_at(place))


def _kept_at(place: _Place) -> dict[str, Path]:
    """Return the list of each version that the cache here can bring back."""
    if not (place.root / ".dvc" / "config").exists():
        return {}
    caches = [Path(_run(place, lambda repo: str(repo.cache.local.path)))]
    caches += [place.old / name / "files" / "md5" for name in (_CACHE, _REMOTE) if _has(place, name)]
    return {f"{path.parent.name}{path.name}": path for folder in caches for path in folder.glob("??/*.dir")}
