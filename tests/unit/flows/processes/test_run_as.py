"""Which user runs belong to, and what they can reach: tried by processes of another user where that is possible."""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from flows.processes import children, run_as
from flows.processes.children import Children, Program
from flows.processes.run_as import User, without_secrets
from flows.servers import mlflow_server
from flows.settings import Settings
from models.ledger.keys import Keys
from models.signer import asking

# Of the machine rather than of the environment, which may lie where no other user can read.
PYTHON = "/usr/bin/python3"
IS_ROOT = os.geteuid() == 0

# What a run would try, were its author curious: each line says what it got.
CURIOUS = """
import json, os, socket, sys
asked, got = json.load(open(sys.argv[1])), []
for path in asked["files"]:
    try:
        open(path, "rb").read(1)
        got.append(path)
    except OSError:
        pass
for path in asked["folders"]:
    try:
        open(os.path.join(path, "planted"), "w").close()
        got.append(path)
    except OSError:
        pass
for pid in asked["processes"]:
    for name in ("environ", "mem", "maps", "fd/3"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
            got.append(f"{pid}/{name}")
        except OSError:
            pass
    try:
        os.kill(pid, 19)
        got.append(f"{pid} stopped")
    except OSError:
        pass
try:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(asked["socket"])
        s.sendall(b'{"do": "head"}\\n')
        got += [s.recv(100).decode()] if asked else []
except OSError:
    pass
got += [name for name in os.environ if name in asked["variables"]]
print(json.dumps({"got": got, "uid": os.getuid(), "groups": os.getgroups(), "can": open("/proc/self/status").read()}))
"""


def nobody() -> User:
    found = pwd.getpwnam("nobody")
    return User(found.pw_name, found.pw_uid, found.pw_gid, (found.pw_gid,), "/")


@pytest.fixture
def folder():
    """Where another user comes through, which pytest's own folders are not."""
    made = Path(tempfile.mkdtemp(prefix="run-as-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def project(folder):
    made = folder / "project"
    for name in ("flows", "models", "features"):
        (made / name).mkdir(parents=True)
    (made / "prefect.yaml").touch()
    return made


@pytest.fixture
def settings(folder, monkeypatch):
    (folder / "lake").mkdir()
    return Settings(state_folder=folder / "state", data_folder=folder / "lake" / "data", run_as="nobody")


@pytest.fixture
def prepared(settings):
    settings.state_folder.mkdir(mode=0o700)
    mlflow_server.prepare(settings)
    for name in ("mlflow.db", "notices.toml"):
        (settings.state_folder / name).touch(0o644)
    user = nobody()
    if not IS_ROOT:  # then what is given to a group can only be given to an own one
        user = replace(user, gid=os.getgid())
    os.chown(settings.data_folder.parent, -1, user.gid)
    settings.data_folder.parent.chmod(0o2770)
    run_as.prepare(settings, user)
    return user


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def secrets(settings):
    keys = Keys(settings.signoff_folder)
    files = (settings.state_folder / name for name in ("mlflow.db", "accounts.db", "accounts.ini", "notices.toml"))
    return [*files, *(keys.secret_folder / name for name in ("ledger.key", "form.secret", "service.password"))]


def test_secrets_are_closed_and_what_is_shared_is_open_to_the_group(settings, prepared):
    assert mode(settings.state_folder) == 0o711
    assert {mode(file) for file in secrets(settings)} == {0o600}
    assert {mode(settings.state_folder / name) for name in ("prefect", "logs", "signoff/secret")} == {0o700}
    for shared in run_as.shared_folders(settings):
        assert mode(shared) == 0o2770
        assert shared.stat().st_gid == prepared.gid
    assert [mode(settings.state_folder / name) for name in ("data.lock", "up.lock")] == [0o660, 0o640]
    keys = Keys(settings.signoff_folder)
    assert [mode(file) for file in (keys.folder, keys.public_key_file, keys.head_file)] == [0o755, 0o644, 0o644]


def test_with_one_user_what_a_command_made_before_is_closed_to_others(folder):
    settings = Settings(state_folder=folder / "state")
    settings.state_folder.mkdir()
    settings.state_folder.chmod(0o755)
    run_as.prepare(settings, None)
    assert mode(settings.state_folder) == 0o750
    settings.state_folder.chmod(0o700)
    run_as.prepare(settings, None)
    assert mode(settings.state_folder) == 0o700


def test_a_worker_is_started_as_the_user_with_its_groups_and_without_the_servers_secrets(tmp_path, monkeypatch):
    started = {}
    monkeypatch.setattr(subprocess, "Popen", lambda command, **given: started.update(given))
    for name in ("TIDEWAITER_MLFLOW_DATABASE_URI", "PGPASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY", "SIGNOFF_FOLDER"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    user = User("runs", 1234, 1235, (1235, 1236), "/srv/runs")
    processes = Children(tmp_path / "state", tmp_path / "logs", Event(), user=user)
    own = {"MLFLOW_TRACKING_PASSWORD": "the service's"}
    processes.start(Program("worker", ("true",), own, lambda: True, user, is_trusted=False))
    given = {name: started[name] for name in ("user", "group", "extra_groups", "umask")}
    assert given == {"user": 1234, "group": 1235, "extra_groups": [1235, 1236], "umask": 0o007}
    environment = started["env"]
    assert "secret" not in environment.values()
    assert environment["MLFLOW_TRACKING_PASSWORD"] == "the service's"
    assert (environment["HOME"], environment["USER"], environment["LANG"]) == ("/srv/runs", "runs", "C.UTF-8")
    processes.start(Program("mlflow", ("true",), {}, lambda: True))
    assert (started["user"], started["group"], started["env"]["PGPASSWORD"]) == (None, None, "secret")


@pytest.mark.parametrize(
    "name",
    [
        "TIDEWAITER_MLFLOW_DATABASE_URI",
        "TIDEWAITER_PREFECT_DATABASE_URI",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
        "PREFECT_SERVER_API_AUTH_STRING",
        "PREFECT_API_AUTH_STRING",
        "MLFLOW_BACKEND_STORE_URI",
        "MLFLOW_AUTH_ADMIN_PASSWORD",
        "MLFLOW_TRACKING_PASSWORD",
        "GUARD_UP_PASSWORD",
        "PGPASSFILE",
    ],
)
def test_what_belongs_to_the_servers_is_not_inherited(name):
    kept = {"TIDEWAITER_DATA_FOLDER": "x", "AWS_SECRET_ACCESS_KEY": "x", "PREFECT_LOGGING_LEVEL": "x"}
    assert without_secrets({name: "secret", **kept}) == kept


@pytest.mark.parametrize(
    ("named", "told"),
    [("no-such-user", "this machine has no user 'no-such-user'"), ("root", "is root or runs `tidewaiter up`")],
)
def test_a_user_that_cannot_be_it_is_refused(named, told):
    with pytest.raises(ValueError, match=told):
        run_as.find(Settings(run_as=named))


def test_who_may_not_change_user_is_told(monkeypatch):
    monkeypatch.setattr(run_as, "_may_change_user", lambda: False)
    with pytest.raises(ValueError, match="takes the right to change user: root, or CAP_SETUID and CAP_SETGID"):
        run_as.find(Settings(run_as="nobody"))


def test_who_shares_no_group_with_the_runs_is_told(monkeypatch):
    monkeypatch.setattr(run_as, "_may_change_user", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ValueError, match=r"is not in the group .* of nobody"):
        run_as.find(Settings(run_as="nobody"))


def test_without_the_setting_nobody_is_named_and_root_is_warned(monkeypatch):
    assert run_as.find(Settings()) is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "can read the ledger's key and all accounts" in run_as.warning(Settings())
    assert run_as.warning(Settings(run_as="nobody")) is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run_as.warning(Settings()) is None


def test_data_beside_the_code_are_refused_since_runs_write_there(settings, project, prepared):
    for data in (project / "data", project.parent / "data"):
        beside = settings.model_copy(update={"data_folder": data})
        with pytest.raises(ValueError, match=r"runs write \.dvc beside it, where the code is"):
            run_as.check(beside, project, prepared, PYTHON)


def test_a_password_where_runs_read_it_is_refused(settings, project, prepared):
    uri = "postgresql://mlflow:secret@db/mlflow"
    written = settings.model_copy(update={"mlflow_database_uri": uri})
    (project / "tidewaiter.toml").write_text(f'mlflow_database_uri = "{uri}"')
    with pytest.raises(ValueError, match=r"mlflow_database_uri in tidewaiter\.toml holds a password"):
        run_as.check(written, project, prepared, PYTHON)


class AsAnother:
    """`subprocess.run` as another user where this one may, else as it would be asked to."""

    def __init__(self, monkeypatch):
        self.asked = []
        if not IS_ROOT:
            real = subprocess.run

            def run(command, **given):
                self.asked.append({name: given.pop(name) for name in ("user", "group", "extra_groups")})
                return real(command, **given)

            monkeypatch.setattr(subprocess, "run", run)


def test_folders_as_they_must_be_are_in_order(settings, project, prepared, monkeypatch):
    tried = AsAnother(monkeypatch)
    if IS_ROOT:
        run_as.check(settings, project, prepared, PYTHON)
    else:  # the same user can read its own secrets, which is what it is told
        with pytest.raises(ValueError, match="which is the service's alone"):
            run_as.check(settings, project, prepared, PYTHON)
        assert tried.asked == [{"user": prepared.uid, "group": prepared.gid, "extra_groups": list(prepared.groups)}]


@pytest.mark.parametrize(
    ("path", "opened", "told"),
    [
        ("state/cache", 0o700, "nobody cannot write to .*state/cache"),
        ("lake", 0o755, "nobody cannot write to .*lake"),
        ("project", 0o700, "nobody cannot read .*project"),
        ("project/flows", 0o777, "nobody can write to .*flows, and so change what the service runs"),
        ("project/prefect.yaml", 0o666, r"nobody can write to .*prefect\.yaml, and so change"),
        ("state/accounts.db", 0o644, r"nobody can read .*accounts\.db, which is the service's alone"),
    ],
)
def test_a_folder_that_is_not_as_it_must_be_is_named(
    settings, project, prepared, folder, path, opened, told, monkeypatch
):
    AsAnother(monkeypatch)
    (folder / path).chmod(opened)
    # Who is not root cannot try as another, and is told of something else: that it is the service's own user.
    with pytest.raises(ValueError, match=f"run_as: {told if IS_ROOT else ''}.*; docs/operator.md says who owns what"):
        run_as.check(settings, project, prepared, PYTHON)


def test_an_environment_that_the_user_cannot_run_is_told(settings, project, prepared, folder):
    closed = folder / "closed"
    closed.mkdir(0o700)
    shutil.copy("/usr/bin/env", closed / "python")
    (closed / "python").chmod(0o644)  # nor can this one, whoever it is
    with pytest.raises(ValueError, match=r"cannot run .*closed/python"):
        run_as.check(settings, project, prepared, str(closed / "python"))


def test_runs_get_at_nothing_of_the_service(settings, prepared, folder, monkeypatch):
    """A process as a worker is started, beside a real signer: files, folders, other processes, socket, environment."""
    keys = Keys(settings.signoff_folder)
    environment = {"SIGNOFF_FOLDER": str(keys.folder), "SIGNOFF_DATABASE_URI": settings.database_uri}
    signing = subprocess.Popen(
        [sys.executable, "-m", "models.signer.signer"], env=os.environ | environment, stderr=subprocess.DEVNULL
    )
    script, asked, answer = folder / "curious.py", folder / "asked.json", folder / "logs" / "worker.log"
    user = nobody() if IS_ROOT else None
    processes = Children(settings.state_folder, folder / "logs", Event(), user=user)
    monkeypatch.setenv("TIDEWAITER_MLFLOW_DATABASE_URI", "postgresql://x")
    try:
        until = time.monotonic() + 60
        while not asking.answers(keys.socket_file):
            assert time.monotonic() < until
            time.sleep(0.1)
        script.write_text(CURIOUS)
        asked.write_text(
            json.dumps(
                {
                    "files": [*secrets(settings), keys.secret_folder / "signer.lock"],
                    "folders": [settings.state_folder, keys.folder, keys.secret_folder],
                    "processes": [signing.pid, os.getpid()],
                    "socket": keys.socket_file,
                    "variables": ["TIDEWAITER_MLFLOW_DATABASE_URI", "SIGNOFF_FOLDER"],
                },
                default=str,
            )
        )
        processes.run(Program("worker", (PYTHON, str(script), str(asked)), {}, lambda: True, user, False), 60)
        found = json.loads(answer.read_text())
        if IS_ROOT:
            assert found["got"] == []
            assert (found["uid"], found["groups"]) == (user.uid, [user.gid])
            assert "CapEff:\t0000000000000000" in found["can"]
            assert "CapPrm:\t0000000000000000" in found["can"]
        else:  # one user: the page for operators says what that means; the environment at least is not inherited
            assert "TIDEWAITER_MLFLOW_DATABASE_URI" not in found["got"]
    finally:
        signing.kill()
        signing.wait()


def test_processes_of_the_runs_user_are_found_and_ended(settings, prepared, folder):
    user = nobody() if IS_ROOT else None
    processes = Children(settings.state_folder, folder / "logs", Event(), user=user)
    processes.start(Program("worker", ("/bin/sleep", "60"), {"RUN": "a"}, lambda: True, user, is_trusted=False))
    (found,) = children.marked(settings.state_folder, user)
    assert found.uids().real == (user.uid if user else os.getuid())
    assert children.carrying([found], "RUN", "a", user) == [found]
    processes.end_run("RUN", "a")
    assert children.marked(settings.state_folder, user) == []
