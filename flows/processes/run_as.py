"""The user of the worker and its runs, if the setting `run_as` names one: they read and write only what they need.

    user `up` and its servers     .tidewaiter/: databases, accounts, signoff/secret/, Prefect's own folder, logs
    user of the runs              data and what lies beside it, artifacts/, cache/, dvc-cache/, dvc-remote/, reports/,
                                  simulated/, versions/, runs/

This module says who that user is, what it is given, and whether the folders are as they must be. Not here: when what is
started.
"""

import ctypes
import grp
import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from flows.processes import running
from flows.settings import FILE, Settings
from models.ledger import Keys
from models.notices import FILE as RECIPIENTS

ROOT = "are root's, and can read the ledger's key and all accounts: name a user of their own by run_as"
UMASK = 0o007  # for all that write into folders that the service and the runs share
_CAP_SETGID, _CAP_SETUID = 6, 7
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_PROBE_S = 120

# Variables with which the servers are started, and those from which libraries take the password of a database.
_OF_SERVERS = ("SIGNOFF_", "GUARD_", "MLFLOW_AUTH_", "MLFLOW_FLASK_", "MLFLOW_BACKEND_", "PREFECT_SERVER_", "PG")
_OF_SERVERS_BY_NAME = frozenset(
    {
        "TIDEWAITER_MLFLOW_DATABASE_URI",
        "TIDEWAITER_PREFECT_DATABASE_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "PREFECT_API_AUTH_STRING",
        "CREDENTIALS_DIRECTORY",
    }
)

# The runs' user executes this. It tells which folders it cannot write, and which files it can read or write though it
# must not.
_PROBE = """
import json, os, sys
asked = json.load(sys.stdin)
def is_closed(folder):
    return not os.access(folder, os.R_OK | os.W_OK | os.X_OK)
def closed(folder):
    if is_closed(folder):
        return folder
    below = (os.path.join(each, name) for each, names, _ in os.walk(folder) for name in names)
    return next(filter(is_closed, below), None)
print(json.dumps({
    "unreadable": [each for each in asked["read"] if not os.access(each, os.R_OK)],
    "unwritable": [found for found in map(closed, asked["write"]) if found],
    "readable": [each for each in asked["secret"] if os.access(each, os.R_OK)],
    "writable": [each for each in asked["read"] + asked["secret"] if os.access(each, os.W_OK)],
}))
"""


@dataclass(frozen=True)
class User:
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of subprocess that start a program as this user, with this user's groups only."""
        return {"user": self.uid, "group": self.gid, "extra_groups": list(self.groups), "umask": UMASK}

    @property
    def identity(self) -> dict[str, str]:
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a worker may inherit: nothing that belongs to the servers.

    >>> without_secrets({"PATH": "/bin", "PGPASSWORD": "x", "TIDEWAITER_MLFLOW_DATABASE_URI": "x", "TZ": "UTC"})
    {'PATH': '/bin', 'TZ': 'UTC'}
    """
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_OF_SERVERS) and name not in _OF_SERVERS_BY_NAME
    }


def find(settings: Settings) -> User | None:
    """Return the user that `run_as` names; None if it is not set.

    Raises ValueError if that user cannot be the user of runs, or if this process cannot start them as that user.
    """
    if settings.run_as is None:
        return None
    try:
        found = pwd.getpwnam(settings.run_as)
    except KeyError:
        raise ValueError(
            f"run_as: this machine has no user {settings.run_as!r}; make one, as `useradd --system`"
        ) from None
    if found.pw_uid in (0, os.geteuid()):
        raise ValueError(
            f"run_as is {settings.run_as!r}, which is root or runs `tidewaiter up` itself; allowed: another"
        )
    if not _may_change_user():
        raise ValueError("run_as takes the right to change user: root, or CAP_SETUID and CAP_SETGID (deploy/systemd)")
    group = grp.getgrgid(found.pw_gid)
    if os.geteuid() != 0 and group.gr_gid not in os.getgroups():
        raise ValueError(
            f"run_as: the user of `tidewaiter up` is not in the group {group.gr_name} of {found.pw_name}, so neither "
            f"could read what the other writes; `usermod --append --groups {group.gr_name}` puts it there"
        )
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return User(found.pw_name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def warning(settings: Settings) -> str | None:
    """Return the warning that runs may do anything on this machine; None if they may not."""
    if settings.run_as is not None or os.geteuid() != 0:
        return None
    return f"runs {ROOT}"


def drop_rights() -> None:
    """Give up the right to change user in everything that this process starts."""
    if os.geteuid() != 0:  # root loses its rights with the user
        ctypes.CDLL(None, use_errno=True).prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def shared_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the folders in the state folder that runs write and the servers read."""
    state = settings.state_folder.absolute()
    names = ["cache", "dvc-cache", "dvc-remote", "reports", "simulated", "versions"]
    names += [settings.lineage_folder.name, settings.runs_folder.name]
    if settings.artifacts_uri is None:
        names.append("artifacts")
    return tuple(state / name for name in names)


def folders(settings: Settings) -> dict[str, str]:
    """Return, by variable, folders for files that programs may lose, which else lie beside the code or in /tmp.

    In /tmp the names are known, and whoever makes them first keeps others out. The servers do not share these folders:
    Numba executes what it finds there.
    """
    names = {"TMPDIR": "tmp", "NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib"}
    return {variable: str(settings.runs_folder / name) for variable, name in names.items()}


def prepare(settings: Settings, user: User | None) -> None:
    """Make the folders that runs share with the servers, and close those that they do not share.

    The contents of the folders stay unchanged. A state folder that a command made earlier, under a usual umask, is
    closed to other users of the machine.
    """
    state = settings.state_folder.absolute()
    if user is None:
        settings.runs_folder.mkdir(exist_ok=True)
        state.chmod(stat.S_IMODE(state.stat().st_mode) & ~0o007)
        return
    for folder in (*shared_folders(settings), *map(Path, folders(settings).values())):
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, -1, user.gid)
            folder.chmod(0o2770)  # so that what is made in there belongs to the group too
    turn, lock = state / running.TURN, state / running.LOCK
    if not turn.exists():
        turn.touch()
        os.chown(turn, -1, user.gid)
        turn.chmod(0o660)
    lock.touch()
    os.chown(lock, -1, user.gid)
    lock.chmod(0o640)  # a process that may open it may hold it
    for folder in (state / "prefect", state / "logs"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    for file in _secrets(settings):
        if file.is_file():
            file.chmod(0o600)
    state.chmod(0o711)  # the runs pass through it to what is theirs, and cannot list it


def check(settings: Settings, project: Path, user: User, python: str = sys.executable) -> None:
    """Raise ValueError if the runs' user cannot do its work, or could do more; a process of that user tries it."""
    if password := _written_password(settings, project):
        raise ValueError(f"{password} in {FILE} holds a password, and runs read that file: put it into the environment")
    data = settings.data_folder.absolute()
    if data.parent == project.absolute() or project.absolute().is_relative_to(data.parent):
        raise ValueError(
            f"data_folder is {settings.data_folder}, and runs write .dvc beside it, where the code is; allowed "
            "with run_as: a folder in a folder of its own, such as /srv/tidewaiter/data"
        )
    code = [project, *(project / name for name in ("flows", "models", "features", FILE, "prefect.yaml"))]
    asked = {
        "read": [str(each) for each in (*code, Path(sys.prefix)) if each.exists()],
        "write": [str(each) for each in (data.parent, *shared_folders(settings))],
        "secret": [str(each) for each in _secrets(settings)],
    }
    found = _probe(asked, user, python)
    for kind, sentence in (
        ("unreadable", "cannot read {}, which its runs need"),
        ("unwritable", "cannot write to {}, which its runs need"),
        ("readable", "can read {}, which is the service's alone"),
        ("writable", "can write to {}, and so change what the service runs"),
    ):
        if found[kind]:
            raise ValueError(
                f"run_as: {user.name} {sentence.format(found[kind][0])}; docs/operator.md says who owns what"
            )


def _probe(asked: Mapping[str, Iterable[str]], user: User, python: str) -> dict[str, list[str]]:
    try:
        done = subprocess.run(
            [python, "-I", "-c", _PROBE],
            input=json.dumps(asked),
            env={"PATH": os.environ.get("PATH", "")} | user.identity,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
            check=False,
            **user.arguments,
        )
    except PermissionError as error:
        raise ValueError(
            f"run_as: {user.name} cannot run {python} ({error.strerror}); the environment must lie where others may "
            "read it, its Python too"
        ) from error
    if done.returncode:
        raise ValueError(f"run_as: {user.name} cannot run {python}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def _secrets(settings: Settings) -> tuple[Path, ...]:
    state, keys = settings.state_folder.absolute(), Keys(settings.signoff_folder)
    files = ("mlflow.db", "accounts.db", "accounts.ini", RECIPIENTS)
    private = ("ledger.key", "form.secret", "service.password")
    return (
        *(state / name for name in files),
        state / "prefect" / "prefect.db",
        *(keys.secret_folder / name for name in private),
    )


def _written_password(settings: Settings, project: Path) -> str | None:
    """Return the name of the setting that holds a password in the file of the settings; None if there is none."""
    file = project / FILE
    text = file.read_text() if file.exists() else ""
    for name in ("mlflow_database_uri", "prefect_database_uri"):
        uri = getattr(settings, name)
        if uri and uri in text and make_url(uri).password:
            return name
    return None


def _may_change_user() -> bool:
    with open("/proc/self/status") as status:  # noqa: PTH123  no file of anybody's
        effective = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    return all(effective >> right & 1 for right in (_CAP_SETUID, _CAP_SETGID))
