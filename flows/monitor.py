"""The monitoring flow: has what arrives moved from what the model in force learned, and does it still find fraud?"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.states import Completed

from features.matrix import cache
from features.store import Store, versioning
from flows.observed import observed, reads, writes
from flows.parameters import MonitorParameters
from flows.progress import stage
from flows.retrain import compute_features
from flows.settings import Settings
from flows.steps import reports
from flows.watching import unjudged, watch
from models.dossier import Incumbent, assessment
from models.evidence import source_code
from models.lineage import datasets
from models.monitoring import DriftResult, Quality
from models.registry import Registry, tracking
from models.workspace import Workspace, feature_code, incumbents, why_empty

BREACH = "tidewaiter.drift.breach"
RESULT = "drift.json"
_DEFAULTS = MonitorParameters()


class NothingToWatchError(LookupError):
    """No model of this source is registered yet, or nothing of the source is stored."""


@flow(name="monitor")
@observed
def monitor(parameters: MonitorParameters = _DEFAULTS) -> State[DriftResult]:
    """Compare, log the report, and emit an event on a breach, which starts a retraining where the server runs.

    If something could not be judged, the state of the run says so. When that has lasted for more nights than are set,
    an event says it too.
    """
    settings = Settings()
    store = Store(settings.data_folder / parameters.source.value)
    if why := why_empty(store):
        raise NothingToWatchError(why)
    registry = incumbents.registry_of(settings.places)
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        watched = of_source(store.root.name, fetch_watched(settings, Path(scratch)))
        if remark := feature_code.check(watched.model, f"{watched.alias} version {watched.version}", store.root.name):
            get_run_logger().warning(remark)
        workspace = Workspace(settings.places, watched.policy, store.root.name)
        built = compute_features(workspace)
        folder = Path(scratch) / "drift"
        folder.mkdir()
        drift = check_drift(workspace, built, watched, folder)
        record_drift(registry, watched, drift, folder, settings)
    if drift.is_breach:
        # This is recorded before the event, so that the run that it starts finds everything in place.
        emit_event(
            BREACH,
            resource={"prefect.resource.id": f"tidewaiter.source.{store.root.name}"},
            payload={
                "source": store.root.name,
                "version": watched.version,
                "verdict": drift.verdict,
                "requested_by": parameters.requested_by,  # the retraining needs it too, or it would have no author
            },
        )
    return tell_unjudged(settings, store.root.name, drift)


def tell_unjudged(settings: Settings, source: str, drift: DriftResult) -> State[DriftResult]:
    """Return the state in which the run ends, and emit an event if nights were not judged for longer than is set.

    The state names the days that were judged.
    """
    noted = unjudged.note(settings.runs_folder, source, drift.unjudged, datetime.now(UTC).date())
    if noted.is_overdue(settings.unjudged_nights):
        resource = {"prefect.resource.id": f"tidewaiter.source.{source}"}
        emit_event(watch.UNJUDGED, resource=resource, payload={"source": source, "said": noted.sentence})
    # A feed that has stopped leaves the same window night after night, which only its days tell.
    said = f"{drift.state}, of {drift.current.since} to {drift.current.until}"
    if not noted.nights:
        return Completed(data=drift, message=said)
    return Completed(data=drift, name=watch.NOT_JUDGED, message=f"{said}; {noted.sentence}")


@task(name="fetch the model to watch", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def fetch_watched(settings: Settings, scratch: Path) -> Incumbent | None:
    """Return the champion, or before the first promotion the challenger. Retried: MLflow may be restarting."""
    watched = incumbents.watched(settings.places, scratch, get_run_logger().warning)
    if watched:
        reads(datasets.model(watched.version))
    return watched


def of_source(source: str, watched: Incumbent | None) -> Incumbent:
    """Return the model to watch if it is one of this source. This is no task: another attempt would find the same."""
    if watched is None or watched.source != source:
        found = f"version {watched.version} is of source {watched.source!r}" if watched else "none is registered"
        raise NothingToWatchError(f"no model of source {source!r} to watch: {found}; retrain on it first")
    return watched


@task(name="check drift", cache_policy=NO_CACHE)
def check_drift(workspace: Workspace, built: cache.Built, watched: Incumbent, folder: Path) -> DriftResult:
    """Compare the latest window with the data that the watched model learned from, and return the result.

    The bounds are those of the model's own policy. Evidently's page and the result are written into `folder`.
    """
    with stage("Check drift"):
        at_training = Quality.at_training(watched.evaluation)
        drift = assessment.watch(
            workspace.dataset(built), watched.model, at_training, watched.policy, folder / assessment.DRIFT_PAGE
        )
    (folder / RESULT).write_text(drift.model_dump_json(indent=1) + "\n")
    return drift


@task(name="record", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def record_drift(registry: Registry, watched: Incumbent, drift: DriftResult, folder: Path, settings: Settings) -> None:
    """Record the report as an MLflow run and as Prefect artifacts. Retried: it finds what it began."""
    version = versioning.taken(settings.data_folder, settings.state_folder)
    looked_at = tracking.data_input(watched.source, version, "monitoring") if version else None
    with stage("Record"):
        run = registry.record_drift(drift, folder, watched.version, source_code.code_state().commit, looked_at)
    writes(datasets.report("monitoring", watched.source, run))
    reports.publish_monitoring(drift, watched.version, reports.run_url(settings, run))
