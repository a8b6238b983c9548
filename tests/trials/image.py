"""The image is built from Debian's packages alone, runs as it does in its pod, and a retraining is registered in it.

A unit is one build and one run, as root: the base by mmdebstrap, the build without namespaces of its own, the container
with a root that is read-only, no network, and a user that is not root.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from deploy import source
from tests.trials.closed import shown, until
from tests.trials.running import Trial, Unit

PODMAN = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs")
BASE, IMAGE, CONTAINER = "localhost/tidewaiter-base", "localhost/tidewaiter-trial", "tidewaiter-trial"
SUITE = "trixie"
# Debian's slim images are without documentation and translations too.
UNREAD = ("exclude=/usr/share/doc/*", "include=/usr/share/doc/*/copyright", "exclude=/usr/share/locale/*")
CERTIFICATES = "/etc/ssl/certs"  # of an authority of this machine's own too
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")  # podman's own are more than some may give
READY_S, STATUS_S = 900, 600


def unit(scratch: Path, number: int) -> Mapping[str, Any]:
    """Build the image and run it."""
    started = perf_counter()
    _base(scratch / "base.tar")
    context = scratch / f"context-{number}"
    source.lay(context)
    _run(
        *(*PODMAN, "build", "--isolation=chroot", "--network=host", "--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"),
        *("--build-arg", f"BASE={BASE}", "--file", context / "deploy" / "Containerfile", "--tag", IMAGE, context),
    )
    build_s = round(perf_counter() - started)
    size = int(_run(*PODMAN, "image", "inspect", "--format", "{{.Size}}", IMAGE))
    return {"image_mb": round(size / 1e6), "build_s": build_s, **_used(scratch / f"volume-{number}")}


def _base(packed: Path) -> None:
    without = [f"--dpkgopt=path-{each}" for each in UNREAD]
    _run("mmdebstrap", "--quiet", "--variant=minbase", *without, "--include=python3,ca-certificates", SUITE, packed)
    _run(*PODMAN, "import", packed, BASE)


def _used(volume: Path) -> Mapping[str, Any]:
    """Run `up` in a container, retrain in it, and wait until its status is 0."""
    volume.mkdir()
    os.chown(volume, 10001, 10001)
    _run(
        *(*PODMAN, "run", "--detach", "--name", CONTAINER, "--read-only", "--tmpfs", "/tmp", "--network=none", *LIMITS),
        *("--volume", f"{volume}:/srv/tidewaiter", IMAGE),
    )
    try:
        ready_s = until(lambda: "Ready." in _run(*PODMAN, "logs", CONTAINER), READY_S, "up says Ready")
        assert _inside("id", "-u").strip() == "10001"
        started = perf_counter()
        added = _as("admin", shown(_run(*PODMAN, "logs", CONTAINER)), "users", "add", "dan", "--role", "data-scientist")
        _as("dan", shown(added), "retrain", "--source", "simulator")
        retrain_s = round(perf_counter() - started)
        until(_is_healthy, STATUS_S, "status is 0")
        assert json.loads(_inside("tidewaiter", "status", "--json"))["models"] == {"challenger": "1"}
    finally:
        with suppress(subprocess.CalledProcessError):
            _run(*PODMAN, "rm", "--force", "--time", "60", CONTAINER)
    return {"ready_s": ready_s, "retrain_s": retrain_s, "status": 0}


def _as(name: str, password: str, *words: str) -> str:
    return _inside(
        "env", f"MLFLOW_TRACKING_USERNAME={name}", f"MLFLOW_TRACKING_PASSWORD={password}", "tidewaiter", *words
    )


def _inside(*command: str) -> str:
    return _run(*PODMAN, "exec", CONTAINER, *command)


def _is_healthy() -> bool:
    with suppress(subprocess.CalledProcessError):
        _inside("tidewaiter", "status")
        return True
    return False


def _run(*command: str | Path) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def hindered() -> str | None:
    """Return why this machine cannot try it; None if it can."""
    if os.geteuid() != 0:
        return "mmdebstrap and podman without namespaces of users are for root"
    absent = [name for name in ("mmdebstrap", "podman", "runc") if shutil.which(name) is None]
    return f"{', '.join(absent)} is missing: apt-get install mmdebstrap podman runc" if absent else None


@contextmanager
def _opened() -> Generator[Unit]:
    if why := hindered():
        raise RuntimeError(f"NOT TRIED: {why}")
    with tempfile.TemporaryDirectory(prefix="tidewaiter-image-") as folder:
        yield lambda number: unit(Path(folder), number)


TRIAL = Trial("the image is built from Debian's packages, run read-only, and a retraining registered in it", 1, _opened)
