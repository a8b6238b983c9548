"""A throw-away PostgreSQL from Debian's packages, for tests: it has a folder of its own, a Unix socket and no port."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

_DEBIAN = Path("/usr/lib/postgresql")
_MISSING = "PostgreSQL's initdb and pg_ctl are not there: apt-get install postgresql"
_USER = "tidewaiter"
# PostgreSQL refuses to run as root, which is what containers run as.
_UNPRIVILEGED = "nobody"
_READY_S = 120


@pytest.fixture(scope="session")
def postgres() -> Generator[sa.URL]:
    """Run a server; the test is skipped where there cannot be one."""
    programs = installed()
    if programs is None:
        pytest.skip(_MISSING)
    with cluster(programs) as url:
        yield url


@pytest.fixture
def postgres_uri(postgres: sa.URL) -> Generator[str]:
    """Return an empty database, as MLflow's --backend-store-uri takes it."""
    with database(postgres) as url:
        yield url.render_as_string(hide_password=False)


@contextmanager
def database(postgres: sa.URL) -> Generator[sa.URL]:
    """Make an empty database of the server, and drop it at the end."""
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield postgres.set(database=name)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def installed() -> Path | None:
    """Return the folder of initdb and pg_ctl: the newest of Debian's, which are not on the PATH, or the PATH's."""
    versions = sorted(_DEBIAN.glob("*/bin/pg_ctl"), key=lambda file: int(file.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("pg_ctl")
    return Path(found).parent if found and shutil.which("initdb") else None


@dataclass(frozen=True)
class Cluster:
    """A server in a folder of its own, that can be killed and started again."""

    programs: Path
    folder: Path

    @property
    def url(self) -> sa.URL:
        return sa.URL.create("postgresql", _USER, database="postgres", query={"host": str(self.folder)})

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # Nothing here outlives the tests, so nothing needs to wait for the disk.
        settings = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._control("-l", self.folder / "log", "-o", settings, "start")

    def kill(self) -> None:
        """End it at once, as a crash does: nothing is written down, and the next start recovers what was committed."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: object) -> None:
        _run(self.programs / "pg_ctl", "-D", self.folder / "data", "-t", _READY_S, "-w", *arguments)


@contextmanager
def cluster(programs: Path) -> Generator[sa.URL]:
    """Run a server, and yield the address of its first database."""
    with crashing(programs) as found:
        yield found.url


@contextmanager
def crashing(programs: Path) -> Generator[Cluster]:
    """Run a server that can be killed in between; it has to run at the end."""
    # Not below pytest's folder, which other users cannot enter; and the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    found = Cluster(programs, folder)
    if os.geteuid() == 0:
        shutil.chown(folder, _UNPRIVILEGED)
    try:
        _run(
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            _USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        )
        found.start()
        try:
            yield found
        finally:
            found.kill()
    finally:
        shutil.rmtree(folder)


def _run(*command: object) -> None:
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    # The server keeps what it inherits open, so a pipe would never end.
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        extra_groups=[] if user else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")
