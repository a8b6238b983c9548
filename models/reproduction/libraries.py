"""Python with the libraries of a version: this process's if they are those of the version's lock, or else new ones."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from models.evidence import source_code
from models.reproduction.stages import NotTried

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
_TOLD_LINES = 3


def python(code: Path, folder: Path) -> Path:
    """Return an interpreter with the libraries of the lock file in `code`; new ones are installed into `folder`.

    NotTried if they cannot be installed.
    """
    lock = code / source_code.LOCK_FILE
    if source_code.lock_digest(code) == source_code.lock_digest(source_code.PROJECT) and is_in_force(lock.read_text()):
        return Path(sys.executable)
    interpreter = folder / "bin" / "python"
    _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    _uv("pip", "sync", "--quiet", "--python", str(interpreter), "--require-hashes", str(lock))
    return interpreter


def is_in_force(lock: str) -> bool:
    """Whether each library of a lock file that is installed here has the version that the file names.

    A library that is not installed is no matter: those of other platforms and of optional parts are in the file too.
    """
    pinned: dict[str, set[str]] = {}
    for name, version in _PINNED.findall(lock):
        pinned.setdefault(name, set()).add(version)
    return all(_installed(name) in {None, *versions} for name, versions in pinned.items())


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise NotTried("the version has other libraries, and there is no uv to install them with")
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split("\n")[:_TOLD_LINES]).strip()
        raise NotTried(
            f"the version has other libraries, which could not be installed: {said}. uv needs a package index "
            "(UV_DEFAULT_INDEX) or a folder of wheels (UV_FIND_LINKS)"
        )
