"""`tidewaiter up`: it runs MLflow, Prefect, a worker and every deployment, on loopback, until Ctrl-C.

It supervises them: a program that dies is named and started again, and one that keeps dying stops everything. It ends
what it started. If it is killed, the next `up` ends what it left behind and accounts for it.
"""

import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import FrameType

import httpx

from flows.outliving import RUN_VARIABLE
from flows.processes import children, machine, run_as, running, unfinished
from flows.processes.children import Children, Program
from flows.servers import deploy, embedded, metrics, mlflow_server, prefect_api, window
from flows.settings import PREFIX, Settings
from flows.watching import forwarding, nights, telling, watch
from models.access import accounts
from models.clock import clock

SERVER_TIMEOUT_S = 240.0  # both servers migrate their databases at their first start
DEPLOY_TIMEOUT_S = 240.0
WORKER_TIMEOUT_S = 240.0
SIGNER_TIMEOUT_S = 120.0  # it reads the whole ledger
TICK_S = 1.0
LEAST_TO_START_BYTES = 16 * 2**20  # with less, programs end while they start
LOOK_TICKS = 20  # how often it looks for runs that never began
JOB_SECRET = "tidewaiter-job"  # in Kubernetes; deploy/kubernetes/job-template.yaml takes the environment from it
_SERVERS = {  # the setting of each's port
    "mlflow": "mlflow_port",
    "prefect": "prefect_port",
    "window": "window_port",
    "metrics": "metrics_port",
}

Say = Callable[[str], None]


class PortInUseError(RuntimeError):
    """A port that a server needs is taken."""


def _new_password() -> str:
    return secrets.token_urlsafe(32)


@dataclass
class Up:
    """One run of `tidewaiter up` for a project folder.

    It signs in to Prefect by a name of its own, and only this name may say what runs and where. Its password is new at
    each start, and only Prefect's server and the program that deploys get it: never the worker, whose runs could use
    it.
    """

    settings: Settings
    project: Path
    say: Say
    _password: str = field(default_factory=_new_password, repr=False)
    _teller_password: str = field(default_factory=_new_password, repr=False)

    def run(self) -> None:
        """Start everything, watch it, and end it on SIGINT, SIGTERM or SIGHUP.

        Raises AlreadyRunningError, PortInUseError, ProjectError, ChildError, or ValueError (of secrets, database or
        tables) if that is not possible.
        """
        stopping = Event()
        with running.claim(self.settings.state_folder) as claim, _signals(stopping):
            claim.announce(self._state(is_ready=False))
            run_as.drop_rights()
            state, user = self.settings.state_folder, run_as.find(self.settings)
            processes = Children(state, self.settings.logs_folder, stopping, user=user)
            if left := children.end(children.marked(state, user), user=user):
                self.say(f"Ended {left} processes that an earlier `tidewaiter up` left behind.")
            unfinished.refuse(self.settings.state_folder)
            deploy.render(self.project, self.settings, ())  # before anything starts: is there a project here?
            check_ports(self.settings)
            mlflow_server.refuse_moved(self.settings)
            window.check(self.settings)
            if played := self.settings.played_clock:
                clock(self.settings.time_zone or "UTC", played)
                self.say(f"Warning: window and desk go by the clock in {played}, which is for played days only.")
            notices = telling.program(self.settings)
            mlflow_server.prepare(self.settings)
            run_as.prepare(self.settings, user)
            if user:
                run_as.check(self.settings, self.project, user)
            if warning := run_as.warning(self.settings):
                self.say(f"Warning: {warning}.")
            try:
                self._start(processes, stopping, notices)
                if not stopping.is_set():
                    claim.announce(self._state(is_ready=True))
                    self._greet()
                    self._watch(processes, stopping)
            finally:
                with suppress(OSError):  # a full disk may be why it ends, and must not leave anything running
                    claim.announce(self._state(is_ready=False, is_stopping=True))
                self._mention("Stopping ...")
                self._stop(processes)
            self.say("Stopped. Nothing is left running.")

    def _start(self, processes: Children, stopping: Event, notices: Program | None) -> None:
        self.say("Starting MLflow and Prefect ...")
        password = mlflow_server.first_password(self.settings)
        if password:
            # The password is not part of the greeting: if the start fails before it, the account may exist already.
            self.say(
                f"The account of MLflow's administrator is {accounts.ADMINISTRATOR_ACCOUNT}, its password {password}\n"
                f"  It is shown this once and kept nowhere: write it down. `tidewaiter users add` asks for it."
            )
        processes.start(self._prefect())
        if self.settings.mlflow_database_uri is None and not (self.settings.state_folder / "mlflow.db").exists():
            processes.run(mlflow_server.database(self.settings), SERVER_TIMEOUT_S)
        processes.start(mlflow_server.signer(self.settings))
        processes.wait_ready("signer", SIGNER_TIMEOUT_S)
        processes.start(mlflow_server.program(self.settings, password, self._teller_password))
        processes.wait_ready("prefect", SERVER_TIMEOUT_S)
        processes.wait_ready("mlflow", SERVER_TIMEOUT_S)
        if source := self.settings.window_source:
            processes.start(window.program(self.settings, source, self.settings.time_zone or "UTC"))
            processes.wait_ready("window", window.PREPARED_S)
        if port := self.settings.metrics_port:
            processes.start(metrics.program(self.settings, port))
            processes.wait_ready("metrics", metrics.PREPARED_S)
        if stopping.is_set():
            return
        with self._client() as client:
            if dead := nights.bury(client, "Its process ended together with an earlier `tidewaiter up`."):
                self.say(f"Marked {dead} runs as crashed that an earlier `tidewaiter up` left unfinished.")
            before = prefect_api.deployments(client)
            prefect_api.ensure_pool(client)
            if self.settings.job_image:
                prefect_api.ensure_jobs(client, deploy.job_template(self.project))
            self.say("Deploying prefect.yaml ...")
            processes.run(self._deployment(before), DEPLOY_TIMEOUT_S)
            deploy.remove_renamed(client, before)
            if stopping.is_set():
                return
            watch.apply(client, [watch.crash_silent_runs(self.settings)])
            watch.remove_block(client)
            # After deploying, so that the run is of today's code; before the worker, so that nothing piled up starts.
            for name, decision in nights.catch_up(client, before, datetime.now(UTC)).items():
                self.say(f"{name} missed its night of {decision.missed_at:%Y-%m-%d %H:%M %Z}: it runs once now.")
                if decision.missed_at:
                    watch.tell_missed(client, name, decision.missed_at)
        self.say("Starting the worker ...")
        processes.start(self._worker("worker", prefect_api.POOL, "process"))
        if self.settings.job_image:
            processes.start(self._worker("job-worker", prefect_api.JOBS, "kubernetes"))
            processes.wait_ready("job-worker", WORKER_TIMEOUT_S)
        processes.wait_ready("worker", WORKER_TIMEOUT_S)
        for program in (notices, forwarding.program(self.settings)):
            if program:
                processes.start(program)

    def _watch(self, processes: Children, stopping: Event) -> None:
        def tell(name: str, code: int) -> None:
            self._mention(f"{name} ended with code {code}: starting it again. Its log: {processes.log(name)}")
            if name in _SERVERS:
                try:
                    check_port(self.settings, _SERVERS[name])
                except PortInUseError as error:
                    self._mention(str(error))

        tick, was_full = 0, False
        while not stopping.wait(TICK_S):
            full = next(machine.unfit(self.settings, LEAST_TO_START_BYTES), None)
            if full is None:
                processes.revive(tell)
            elif not was_full:  # whatever was started would die again, until `up` gave up
                self._mention(f"{full}. What dies meanwhile is started again when there is room.")
            was_full = full is not None
            tick += 1
            if tick % LOOK_TICKS == 0:
                self._begin_again(processes)

    def _begin_again(self, processes: Children) -> None:
        """Reschedule runs that a worker took and never started; end what is left of them first."""
        patience = timedelta(seconds=self.settings.zombie_after_seconds)
        try:
            with self._client(timeout_s=10) as client:
                for run in nights.stuck(prefect_api.unfinished(client), datetime.now(UTC), patience):
                    processes.end_run(RUN_VARIABLE, run.id)
                    prefect_api.set_state(client, run, "SCHEDULED", f"Had not begun after {patience.seconds} s.")
                    self._mention(f"Run {run.id} had not begun after {patience.seconds} s: it is begun again.")
        except httpx.HTTPError as error:  # the server is busy, or being started again: there is a next time
            self._mention(f"Could not look for runs that never began: {type(error).__name__}: {error}")

    def _mention(self, text: str) -> None:
        """Say something that is good to know; if nothing can be written, the programs go on all the same."""
        with suppress(OSError):
            self.say(text)

    def _client(self, timeout_s: float = 90.0) -> httpx.Client:
        return prefect_api.connect(self.settings.prefect_url, (accounts.UP, self._password), timeout_s)

    def _stop(self, processes: Children) -> None:
        for name in ("job-worker", "worker"):
            processes.stop(name, grace_s=0)  # asked politely, it would wait for its runs to finish
        processes.stop_strays()
        try:
            if prefect_api.answers(f"{self.settings.prefect_url}/api/health"):
                with (
                    suppress(httpx.HTTPError),
                    self._client() as client,
                ):  # the next start does it
                    nights.bury(client, "Stopped together with `tidewaiter up`.")
        finally:
            for name in ("lineage", "notices", "metrics", "window", "prefect", "mlflow", "signer"):
                processes.stop(name)
            processes.stop_strays(grace_s=1)

    def _state(self, is_ready: bool, is_stopping: bool = False) -> running.Running:
        settings, now = self.settings, datetime.now(UTC).isoformat()
        return running.Running(os.getpid(), settings.mlflow_url, settings.prefect_url, is_ready, is_stopping, now)

    def _greet(self) -> None:
        url = f"{self.settings.window_url}/window/declarations"
        opened = f"  window   {url}   decisions while a trader waits\n" if self.settings.window_source else ""
        port = self.settings.metrics_port
        told = f"  metrics  http://{self.settings.host}:{port}/metrics   figures for Prometheus\n" if port else ""
        self.say(
            f"Ready.\n"
            f"  Prefect  {self.settings.prefect_url}   runs, schedules, parameters\n"
            f"  MLflow   {self.settings.mlflow_url}   models, metrics, sign-off\n"
            f"{opened}"
            f"{told}"
            f"  logs     {self.settings.logs_folder}\n"
            f"Next: `tidewaiter users add NAME --role ROLE` lets people sign in to MLflow, and `tidewaiter status`, in "
            f"another terminal, shows what is healthy. To retrain now, open "
            f"{self.settings.prefect_url}/deployments, choose retrain/adhoc and press Run; the nights run by "
            f"themselves. Ctrl-C stops everything."
        )

    def _prefect(self) -> Program:
        settings = self.settings
        listen = ("--host", settings.host, "--port", str(settings.prefect_port))
        options = (*listen, *mlflow_server.UVICORN, "--no-access-log")
        database = settings.prefect_database_uri
        return Program(
            "prefect",
            # The worker asks every few seconds: a log of that would hide what else is in it.
            (sys.executable, "-m", "uvicorn", "--factory", "flows.prefect_app:create_app", *options),
            self._prefect_environment()
            | {
                "GUARD_UP_PASSWORD": self._password,
                "GUARD_TELLER_PASSWORD": self._teller_password,
                # relative, so that it works by whatever name, port or tunnel the page is reached
                "PREFECT_UI_API_URL": "/api",
                "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": settings.prefect_url,
                "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "120",
                "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "flows.servers.event_order",
                # The default is half a minute, which a promotion would wait that meets the scheduled one of the minute.
                "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
            }
            | ({"PREFECT_SERVER_DATABASE_CONNECTION_URL": database} if database else {}),
            lambda: prefect_api.answers(f"{settings.prefect_url}/api/health"),
        )

    def _worker(self, name: str, pool: str, kind: str) -> Program:
        # The server calls a worker online for a while after its last word, also one of an earlier start that was
        # killed.
        began_at = datetime.now(UTC)

        def is_online() -> bool:
            try:
                with self._client(timeout_s=10) as client:
                    return prefect_api.has_worker(client, since=began_at, pool=pool)
            except httpx.TransportError:  # the server is busy with what was waiting for it
                return False

        command = (sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", kind)
        # The default is ten seconds, which a person waits who has pressed Run or has signed.
        environment = self._prefect_environment() | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        environment |= mlflow_server.prefect_account(self.settings)
        if self.settings.mlflow_tracking_uri is None:  # another MLflow has accounts of its own
            environment |= mlflow_server.service_account(self.settings)
        environment["PREFECT_HOME"] = str(self.settings.runs_folder / "prefect")  # the server's holds its database
        if kind == "kubernetes":
            # With this, jobs find the password in the secret, and not in what everybody reads who may look at jobs.
            prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_"
            environment |= {f"{prefix}NAME": JOB_SECRET, f"{prefix}KEY": "PREFECT_API_AUTH_STRING"}
        if user := run_as.find(self.settings):
            environment |= run_as.folders(self.settings)
        command = (*command, "--name", "tidewaiter")
        return Program(name, command, environment, is_online, user, is_trusted=False, spared=RUN_VARIABLE)

    def _deployment(self, before: list[prefect_api.Deployment]) -> Program:
        rendered = self.settings.state_folder / "prefect" / deploy.FILE
        rendered.write_text(deploy.render(self.project, self.settings, before))
        return Program(
            "deploy",
            (
                sys.executable,
                "-m",
                "prefect",
                "--no-prompt",
                "deploy",
                "--all",
                "--prefect-file",
                str(rendered.absolute()),
            ),
            self._prefect_environment() | {"PREFECT_API_AUTH_STRING": f"{accounts.UP}:{self._password}"},
            lambda: True,
        )

    def _prefect_environment(self) -> dict[str, str]:
        tracking_uri = self.settings.mlflow_tracking_uri or self.settings.mlflow_url
        return embedded.environment(self.settings) | {
            "PREFECT_API_URL": f"{self.settings.prefect_url}/api",
            f"{PREFIX}MLFLOW_TRACKING_URI": tracking_uri,
            "MLFLOW_TRACKING_URI": tracking_uri,
        }


def check_ports(settings: Settings) -> None:
    """Raise PortInUseError if a port that the servers need is taken."""
    for server, name in _SERVERS.items():
        is_needed = {"window": settings.window_source, "metrics": settings.metrics_port}.get(server, True)
        if is_needed:
            check_port(settings, name)


def check_port(settings: Settings, name: str) -> None:
    """Raise PortInUseError if the port that a setting names is taken."""
    port: int = getattr(settings, name)
    with socket.socket() as probe:
        # The servers set this option too: a connection of the last run that is still closing does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, port))
        except OSError as error:
            raise PortInUseError(
                f"{name} {port} on {settings.host} is in use ({error.strerror}): stop what listens there, or set "
                f"{PREFIX}{name.upper()}, or {name} in tidewaiter.toml, to a free port"
            ) from error


@contextmanager
def _signals(stopping: Event) -> Generator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
