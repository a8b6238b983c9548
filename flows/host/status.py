"""`tidewaiter status`: what is healthy, what the last nights did, and which models are in force."""

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict

from flows.processes import machine, run_as, running
from flows.servers import deploy, mlflow_server, prefect_api
from flows.servers.prefect_api import Deployment, Run
from flows.settings import Settings
from flows.watching import nights, telling, unjudged
from models.database import Unavailable
from models.ledger import Keys
from models.names import MODEL
from models.notices import Outbox
from models.signer import asking

NIGHTS_SHOWN = 7
LOOKS_SHOWN = 10
# A worker asks every few seconds and needs a few more to start a run.
GRACE = timedelta(minutes=5)
TOLD_WITHIN = timedelta(hours=1)  # a receiver that is away is asked again as rarely as that

HEALTHY, UNHEALTHY, NOT_RUNNING = 0, 1, 3


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Check(_Frozen):
    """A thing that is well or not; `detail` says what was seen and, if it is not well, what to do."""

    name: str
    is_ok: bool
    detail: str
    is_warning: bool = False


class Night(_Frozen):
    """One run of a nightly deployment."""

    deployment: str
    due_at: datetime
    state: str
    started_at: datetime | None
    duration_s: float | None
    reason: str


class Status(_Frozen):
    """Everything that `tidewaiter status` tells. `models` maps alias to version, for example {'champion': '3'}.

    `is_running` says that the servers are up. While they start or stop, nothing is well or bad yet: the only check is a
    warning.
    """

    is_running: bool
    checks: tuple[Check, ...]
    nights: tuple[Night, ...] = ()
    models: dict[str, str] = {}

    @property
    def exit_code(self) -> int:
        """Return 0 if healthy, 1 if unhealthy, 3 if not running, still starting or stopping."""
        if not self.is_running:
            return NOT_RUNNING
        return HEALTHY if all(check.is_ok for check in self.checks) else UNHEALTHY


def look(settings: Settings, project: Path, now: datetime) -> Status:
    """Look at everything and return the findings. What is down is reported and never raises an error."""
    up = running.find(settings.state_folder)
    if up is None:
        return Status(
            is_running=False,
            checks=(Check(name="up", is_ok=False, detail="not running, so no night runs: start `tidewaiter up`"),),
        )
    if not up.is_ready:
        starting = "starting; the servers answer within a minute, at the first start within four"
        does = "stopping" if up.is_stopping else starting
        detail = f"process {up.pid} is {does}"
        return Status(is_running=False, checks=(Check(name="up", is_ok=False, is_warning=True, detail=detail),))
    checks = [
        Check(name="up", is_ok=True, detail=f"process {up.pid}"),
        _answers("mlflow", f"{up.mlflow_url}/health", up.mlflow_url),
        _answers("prefect", f"{up.prefect_api}/health", up.prefect_url),
        _signer(settings),
        *_window(settings),
        _disk(settings),
        _runs(settings, up.pid),
        *_monitoring(settings),
        *_notices(settings, up, now),
        *_lineage(settings, now),
    ]
    shown: list[Night] = []
    if checks[2].is_ok:
        try:
            with prefect_api.connect(up.prefect_url, _account(settings)) as client:
                checks += _of_prefect(client, settings, project)
                for deployment in prefect_api.deployments(client):
                    if deployment.is_nightly:
                        runs = prefect_api.runs(client, deployment)
                        checks.append(last_night(deployment, runs, now))
                        shown += _nights(deployment, runs, now)
                    elif deployment.schedules:
                        checks.append(last_look(deployment, prefect_api.runs(client, deployment, LOOKS_SHOWN)))
        except (httpx.HTTPError, ValueError) as error:
            checks.append(Check(name="prefect api", is_ok=False, detail=_told(error)))
    shown.sort(key=lambda night: (night.due_at, night.deployment), reverse=True)
    models: dict[str, str] = {}
    if checks[1].is_ok:
        try:
            models = _models(up.mlflow_url, settings)
        except (httpx.HTTPError, ValueError) as error:
            checks.append(Check(name="models", is_ok=False, detail=str(error)))
    return Status(is_running=True, checks=tuple(checks), nights=tuple(shown), models=models)


def last_night(deployment: Deployment, runs: list[Run], now: datetime) -> Check:
    """Return the check whether the latest night that was due ran and ended well."""
    name = f"last night of {deployment.name}"
    if deployment.night is None:
        return Check(name=name, is_ok=False, detail="its schedule is paused: resume it in Prefect")
    due = nights.last_fire(deployment.night, now)
    if due <= deployment.created_at:
        first = nights.next_fires(deployment.night, now, 1)[0]
        return Check(name=name, is_ok=True, detail=f"none was due yet; the first is at {first:%Y-%m-%d %H:%M %Z}")
    of_night = [run for run in runs if run.expected_at >= due or (run.started_at and run.started_at >= due)]
    accounted = [run for run in of_night if run.expected_at <= now and run.state != "SCHEDULED"]
    if not accounted:
        is_fresh = now - due < GRACE
        return Check(name=name, is_ok=is_fresh, detail=f"due at {due:%Y-%m-%d %H:%M %Z}, has not started")
    run = max(accounted, key=lambda run: run.expected_at)
    detail = f"{run.state_name} ({due:%Y-%m-%d %H:%M %Z}){': ' + run.message if run.message else ''}"
    return Check(name=name, is_ok=run.state in ("COMPLETED", "RUNNING", "PENDING"), detail=detail)


def last_look(deployment: Deployment, runs: list[Run]) -> Check:
    """Return the check whether a deployment that runs every few moments, and not at night, ended well the last time."""
    name = f"last look of {deployment.name}"
    if deployment.is_paused or not any(schedule.is_active for schedule in deployment.schedules):
        return Check(name=name, is_ok=False, detail="its schedule is paused: resume it in Prefect")
    ended = [run for run in runs if run.state in ("COMPLETED", "FAILED", "CRASHED")]
    if not ended:
        return Check(name=name, is_ok=True, detail="none has ended yet")
    run = max(ended, key=lambda run: run.expected_at)
    detail = f"{run.state_name} ({run.expected_at:%Y-%m-%d %H:%M %Z}){': ' + run.message if run.message else ''}"
    return Check(name=name, is_ok=run.state == "COMPLETED", detail=detail)


def _nights(deployment: Deployment, runs: list[Run], now: datetime) -> list[Night]:
    past = [run for run in runs if run.expected_at <= now][:NIGHTS_SHOWN]
    return [
        Night(
            deployment=deployment.name,
            due_at=run.expected_at,
            state=run.state_name,
            started_at=run.started_at,
            duration_s=((run.ended_at or now) - run.started_at).total_seconds() if run.started_at else None,
            reason=run.message,
        )
        for run in past
    ]


def _of_prefect(client: httpx.Client, settings: Settings, project: Path) -> list[Check]:
    checks = [_worker(client, "worker", prefect_api.POOL, settings)]
    if settings.job_image:
        checks.append(_worker(client, "job-worker", prefect_api.JOBS, settings))
    deployed = {deployment.name for deployment in prefect_api.deployments(client)}
    missing = [name for name in deploy.names(project) if name not in deployed]
    detail = f"{', '.join(missing)} missing: restart `tidewaiter up`" if missing else ", ".join(sorted(deployed))
    checks.append(Check(name="deployments", is_ok=not missing, detail=detail))
    return checks


def _worker(client: httpx.Client, name: str, pool: str, settings: Settings) -> Check:
    is_ok = prefect_api.has_worker(client, pool=pool)
    detail = "asks for work" if is_ok else f"not heard of lately; see {settings.logs_folder / f'{name}.log'}"
    return Check(name=name, is_ok=is_ok, detail=detail)


def _signer(settings: Settings) -> Check:
    if why := asking.why_not(Keys(settings.signoff_folder).socket_file):
        return Check(name="signer", is_ok=False, detail=f"{why} ({settings.logs_folder / 'signer.log'})")
    return Check(name="signer", is_ok=True, detail="has the ledger's key")


def _disk(settings: Settings) -> Check:
    """Return the check whether runs and servers have room to write."""
    found = list(machine.unfit(settings, machine.LEAST_FREE_BYTES))
    return Check(name="disk", is_ok=not found, detail="; ".join(found) or machine.room(settings))


def _runs(settings: Settings, pid: int) -> Check:
    """Return the check that tells which user the runs have, since that decides what they can read and do."""
    if settings.run_as:
        return Check(name="runs", is_ok=True, detail=f"are of user {settings.run_as}")
    if Path(f"/proc/{pid}").stat().st_uid == 0:
        return Check(name="runs", is_ok=True, is_warning=True, detail=run_as.ROOT)
    return Check(name="runs", is_ok=True, detail="are of the user of `tidewaiter up`")


def _monitoring(settings: Settings) -> list[Check]:
    """Return checks on what monitoring could not judge: a warning at first, and bad once it has lasted."""
    try:
        noted = unjudged.read(settings.runs_folder)
    except ValueError as error:
        return [Check(name="monitoring", is_ok=False, detail=str(error))]
    return [
        Check(
            name=f"monitoring of {each.source}",
            is_ok=not each.is_overdue(settings.unjudged_nights),
            is_warning=bool(each.nights) and not each.is_overdue(settings.unjudged_nights),
            detail=each.sentence,
        )
        for each in noted
    ]


def _notices(settings: Settings, up: running.Running, now: datetime) -> list[Check]:
    """Return the check whether people are told what there is to tell; none if nobody is to be told anything.

    On a busy machine the first look may come after `up` is ready, and until then the last one may be days old.
    """
    log = settings.logs_folder / "notices.log"
    try:
        found = telling.recipients(settings)
        if not found.everyone:
            return []
        addresses, strangers = found.addresses, telling.strangers(settings, found)
        with closing(Outbox(settings.decisions_uri)) as outbox:
            looked, (count, since) = outbox.cursor(telling.RUNS), outbox.waiting(addresses)
    except (ValueError, Unavailable) as error:
        return [Check(name="notices", is_ok=False, detail=str(error))]
    if strangers:
        return [Check(name="notices", is_ok=False, detail=f"there is no account {', '.join(strangers)}")]
    if looked is None or now - datetime.fromisoformat(looked) > GRACE:
        is_fresh = up.since is not None and now - datetime.fromisoformat(up.since) < GRACE
        detail = f"runs were last looked at {looked or 'never'}: see {log}"
        return [Check(name="notices", is_ok=is_fresh, is_warning=is_fresh, detail=detail)]
    if since and now - since > TOLD_WITHIN:
        detail = f"{count} events wait to be told since {since:%Y-%m-%d %H:%M} UTC: see {log}"
        return [Check(name="notices", is_ok=False, detail=detail)]
    return [Check(name="notices", is_ok=True, detail=f"{len(addresses)} addresses are told, {count} events wait")]


def _lineage(settings: Settings, now: datetime) -> list[Check]:
    """Return the check whether the endpoint takes lineage; none if it goes nowhere."""
    if settings.lineage_url is None:
        return []
    from models.lineage import Log, waiting_since  # where lineage goes nowhere, nobody waits for the import

    try:
        since = waiting_since(Log(settings.lineage_folder))
    except (OSError, ValueError) as error:
        return [Check(name="lineage", is_ok=False, detail=str(error))]
    if since and now - since > TOLD_WITHIN:
        log = settings.logs_folder / "lineage.log"
        return [
            Check(name="lineage", is_ok=False, detail=f"waits to be sent since {since:%Y-%m-%d %H:%M} UTC: see {log}")
        ]
    return [Check(name="lineage", is_ok=True, detail=f"is sent to {settings.lineage_url}")]


def _window(settings: Settings) -> list[Check]:
    return (
        [_answers("window", f"{settings.window_url}/window/health", settings.window_url)]
        if settings.window_source
        else []
    )


def _answers(name: str, url: str, shown: str) -> Check:
    is_ok = prefect_api.answers(url)
    return Check(name=name, is_ok=is_ok, detail=shown if is_ok else f"{shown} does not answer")


def _account(settings: Settings) -> tuple[str, str]:
    """Return the account that asks the servers: the environment's, or the flows'; ValueError if there is none."""
    account = mlflow_server.account(settings)
    return account[mlflow_server.USERNAME], account[mlflow_server.PASSWORD]


def _told(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in (401, 403):
        return f"{error.response.json()['detail']} ({mlflow_server.USERNAME} and {mlflow_server.PASSWORD} say who asks)"
    return f"{type(error).__name__}: {error}" if isinstance(error, httpx.HTTPError) else str(error)


def _models(mlflow_url: str, settings: Settings) -> dict[str, str]:
    """Return the version of each alias; ValueError if there is no account to ask by."""
    response = httpx.get(
        f"{mlflow_url}/api/2.0/mlflow/registered-models/get",
        params={"name": MODEL},
        auth=_account(settings),
        timeout=10,
        trust_env=False,
    )
    if response.status_code == httpx.codes.NOT_FOUND:  # before the first model
        return {}
    aliases = response.raise_for_status().json()["registered_model"].get("aliases", [])
    return {alias["alias"]: alias["version"] for alias in sorted(aliases, key=lambda alias: alias["alias"])}
