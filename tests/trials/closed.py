"""What the trial of the bundle does inside its namespaces: `python -m tests.trials.closed BUNDLE WRITTEN`, as root.

The last line that it prints is what it measured, as JSON.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from pwd import getpwnam
from time import perf_counter

PLACES = ("/etc", "/opt", "/srv", "/var/lib")
PROJECT = Path("/opt/tidewaiter")
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
SETUP_CPU_S, READY_S, STATUS_S = 120, 600, 300  # set-up by its processors' time: others may be busy here too


def close(written: Path) -> None:
    """Leave loopback alone of all networks, and copies of the places that an installation writes to."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    # Users that are made here must be able to read the interpreter, wherever it lies: in a copy of that place they may.
    hidden = [each for each in Path(sys.base_prefix).parents if not each.stat().st_mode & 0o001]
    for place in (*PLACES, *map(str, hidden)):
        upper, work = (written / place.strip("/").replace("/", "-") / each for each in ("upper", "work"))
        upper.mkdir(parents=True)
        upper.chmod(0o755)
        work.mkdir()
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={place},upperdir={upper},workdir={work}", place],
            check=True,
        )
    for place in hidden:
        place.chmod(0o711)


def install(bundle: Path) -> tuple[float, float, str]:
    """Install the bundle; return the seconds that it took, those of processors, and what it said."""
    started, used = perf_counter(), _children_s()
    python = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    done = subprocess.run(
        [bundle / "install.sh"], cwd="/", env=CLEAN | {"PYTHON": python}, stdout=subprocess.PIPE, text=True, check=True
    )
    return round(perf_counter() - started, 1), round(_children_s() - used, 1), done.stdout


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def as_service(*command: str) -> list[str]:
    """Return a command as systemd would run it by the unit: its user, groups, capabilities and environment."""
    unit = Path("/etc/systemd/system/tidewaiter.service").read_text()
    given = [pair for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE) for pair in line.split()]
    user, group = getpwnam("tidewaiter"), getpwnam("tidewaiter-runs").pw_gid
    capabilities = "+setuid,+setgid"
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", f"--groups={group}", "--no-new-privs"),
        *(f"--inh-caps=-all,{capabilities}", f"--ambient-caps=-all,{capabilities}"),
        f"--bounding-set=-all,{capabilities}",
        *("env", f"--chdir={PROJECT}", "--ignore-environment", f"HOME={user.pw_dir}"),
        *(f"{name}={value}" for name, value in CLEAN.items()),
        *given,
        *command,
    ]


def run(*words: str, account: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    """Run a command of Tidewaiter's as the service, in the name of an account with its password."""
    name, password = (
        f"MLFLOW_TRACKING_{kind}={said}" for kind, said in zip(("USERNAME", "PASSWORD"), account, strict=True)
    )
    signed_in = ("env", name, password) if account[0] else ()
    command = as_service(*signed_in, f"{PROJECT}/.venv/bin/tidewaiter", *words)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def shown(text: str) -> str:
    """Return the password that is shown there."""
    (password,) = re.findall(r"password (\S+)", text)
    return password


def until(holds: Callable[[], bool], limit_s: float, what: str) -> float:
    """Wait for it; return the seconds that it took."""
    started = perf_counter()
    while not holds():
        assert perf_counter() - started < limit_s, f"not within {limit_s} s: {what}"
        time.sleep(1)
    return round(perf_counter() - started, 1)


def main(bundle: Path, written: Path) -> None:
    """Install twice, start, retrain, ask for the status, stop."""
    os.umask(0o022)
    close(written)
    setup_s, setup_cpu_s, _ = install(bundle)
    assert setup_cpu_s <= SETUP_CPU_S, f"set-up took {setup_cpu_s} s of processors; allowed: {SETUP_CPU_S} s"
    again_s, _, said = install(bundle)
    assert "the user tidewaiter-runs is there already" in said, said
    log = written / "up.log"
    with log.open("w") as file:
        up = subprocess.Popen(as_service(f"{PROJECT}/.venv/bin/tidewaiter", "up"), stdout=file, stderr=file)
    started = perf_counter()
    ready_s = until(lambda: "Ready." in log.read_text() or up.poll() is not None, READY_S, "up says Ready")
    assert up.poll() is None, log.read_text()
    added = run("users", "add", "dan", "--role", "data-scientist", account=("admin", shown(log.read_text())))
    assert added.returncode == 0, added.stdout
    retrained = run("retrain", "--source", "simulator", account=("dan", shown(added.stdout)))
    assert retrained.returncode == 0, retrained.stdout
    retrain_s = round(perf_counter() - started - ready_s, 1)
    until(lambda: run("status").returncode == 0, STATUS_S, "status is 0")
    up.send_signal(signal.SIGTERM)
    assert up.wait(120) == 0, log.read_text()
    seconds = {"setup_s": setup_s, "setup_again_s": again_s, "ready_s": ready_s, "retrain_s": retrain_s}
    print(json.dumps({**seconds, "setup_cpu_s": setup_cpu_s, "status": 0}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
