"""The retraining flow: from arriving declarations to a challenger that awaits sign-off.

Every task can be run again after a crash: ingestion commits batch by batch, features are cached by day, and
registration finds what it had begun.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import deployment

from features.contract import KEY
from features.ingestion import IngestRejected, IngestReport, ingest, worlds
from features.matrix import CATALOGUE, cache
from features.progress import Progress
from features.reading import Source
from features.sources import open_source, simulator
from features.store import Store, versioning
from flows.compute import Workforce, workforce
from flows.observed import observed, reads, tell_published, writes
from flows.parameters import RetrainParameters, Search, SourceName
from flows.processes import running
from flows.progress import run_name, stage, wait
from flows.run_requests import asked, authors, forms
from flows.settings import Settings
from flows.steps import Summary, Unchanged, reports
from models.backtesting import side_by_side
from models.decisions import exports
from models.dossier import CARD, Incumbent, assessment, committed_code
from models.evaluation import Evaluation, Gate
from models.evidence import origins, source_code
from models.ledger import reading
from models.lineage import datasets
from models.monitoring import DriftResult, Quality
from models.policy import Policy
from models.policy import load as load_policy
from models.registry import Candidate, Registration
from models.risk import RiskModel, boosting
from models.runs import CATCH_UP
from models.targeting import selection_log
from models.training import Found, Split, splits, train, tuning
from models.workspace import Workspace, incumbents

_DEFAULTS = RetrainParameters()


@dataclass(frozen=True)
class Trained:
    """A trained model and what it was made with.

    `split` has the parts that it learned from and is judged by, `dataset` the features and labels of every declaration
    (not yet read), and `found` its tuning.
    """

    model: RiskModel
    split: Split
    dataset: pl.LazyFrame
    found: Found


@flow(name="retrain")
@observed
def retrain(parameters: RetrainParameters = _DEFAULTS) -> Summary | Unchanged:
    """Ingest, validate, version, compute features, train, evaluate, judge, register a challenger.

    The flow ends after it has versioned the data if a version was made from the same before, against the same champion.
    """
    made_by = authors.of_run(parameters.requested_by, deployment.name, _is_by_hand())  # first, as it costs nothing
    settings = Settings()
    if deployment.name:
        forms.judge_run(parameters, settings, Path.cwd())
    asked.settle(parameters, settings)
    with running.turn(settings.state_folder, run_name("retrain"), wait):
        return _retrain(parameters, settings, made_by)


def _retrain(parameters: RetrainParameters, settings: Settings, made_by: str) -> Summary | Unchanged:
    parameters = asked.settle(parameters, settings)  # again: the run before may have changed what is stored
    ask_to_register(settings, made_by)
    code, uncommitted = source_code.code_state(), source_code.uncommitted()
    policy = load_policy()  # what is made here is signed with it
    if policy.gates.committed_code and not (gate := committed_code.judge(uncommitted)).passed:
        get_run_logger().warning("This will not be registered, as a gate will fail. %s", gate.sentence)
    workspace = Workspace(settings.places, policy, parameters.source.value)
    store = workspace.store
    ingested = ingest_declarations(parameters, settings, policy, store)
    if settings.window_source == workspace.source:
        handed_over = take_in_decided_days(settings, workspace)
        ingested = IngestReport((*ingested.batches, *handed_over.batches))
    version = version_data(settings)
    reads(datasets.data(version))
    made_from = origins.digest(store.root.name, version, code, policy, parameters.search.value)
    if not parameters.again and (earlier := find_the_same(settings, made_from)):
        unchanged = Unchanged(store.root.name, ingested, version, earlier)
        publish_unchanged(settings, unchanged)
        return unchanged
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        last = fetch_last(settings, Path(scratch))
        with _workforce(parameters, settings) as workforce:
            built = compute_features(workspace, workforce.run)
            trained = train_model(parameters, workspace, built, last, workforce.grow)
        origin = assessment.Origin(
            store.root.name, version, reports.validation(store), code, uncommitted, made_by, trained.found, made_from
        )
        return assess(settings, workspace, trained, origin, ingested, built, Path(scratch))


def assess(
    settings: Settings,
    workspace: Workspace,
    trained: Trained,
    origin: assessment.Origin,
    ingested: IngestReport,
    built: cache.Built,
    scratch: Path,
) -> Summary:
    """Evaluate a model beside the champion, judge it, and register it if every gate passed.

    What is in `scratch`/evidence already is kept with it.
    """
    policy, store = workspace.policy, workspace.store
    folder = scratch / "evidence"
    folder.mkdir(exist_ok=True)
    champion = fetch_champion(settings, scratch)
    measured = evaluate_model(policy, store, trained, champion, folder)
    drift = check_drift(policy, store, trained, measured.evaluation, champion, folder)
    rehearsed = rehearse_model(policy, store, trained, champion, folder)
    candidate, gates = judge_model(workspace, trained, measured, champion, drift, rehearsed, origin, folder)
    registration = register_model(settings, store, candidate, champion)
    summary = Summary(
        source=store.root.name,
        ingested=ingested,
        batches=store.batches,
        data_version=origin.data_version,
        built=built,
        features=len(CATALOGUE),
        evaluation=measured.evaluation,
        gates=gates,
        drift=drift,
        registration=registration,
        model_digest=trained.model.digest,
        steps=policy.signoff.steps,
    )
    publish(settings, summary, candidate)
    return summary


@task(name="ask to register", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def ask_to_register(settings: Settings, made_by: str) -> None:
    """Raise ValueError if the server would refuse the version of this run. Retried: MLflow may be restarting."""
    reading.ask_to_register(settings.tracking_uri, made_by)


@task(name="ingest and validate declarations", cache_policy=NO_CACHE)
def ingest_declarations(
    parameters: RetrainParameters, settings: Settings, policy: Policy, store: Store
) -> IngestReport:
    """Store new batches, quarantine refused lines, and write a page on each batch into the reports folder."""
    pages = settings.places.validation_pages(store.root.name)
    with stage("Simulate" if parameters.source is SourceName.SIMULATOR else "Open the source") as advance:
        source = _source(parameters, settings, store, advance)
    if source is None:
        return IngestReport(())
    is_simulated = isinstance(source, simulator.SimulatorSource)
    with stage("Ingest and validate declarations") as advance:
        try:
            return ingest(
                source,
                store,
                policy.ingestion,
                lambda file, lines: advance(lines, 0),
                lambda batch: reports.write_page(batch, pages),
                date.max if is_simulated else None,  # made-up days need not have come
                source.parameters.model_dump(mode="json") if is_simulated else None,
            )
        except IngestRejected as rejection:
            reports.publish_rejection(rejection, reports.write_rejection(rejection, pages))
            raise


@task(name="take in the days that the window has decided", cache_policy=NO_CACHE)
def take_in_decided_days(settings: Settings, workspace: Workspace) -> IngestReport:
    """Bring what was declared at the window, and how it was chosen, into data/; each batch gets its page."""
    pages = settings.places.validation_pages(workspace.source)
    with stage("Take in decided days"):
        try:
            return workspace.take_in(lambda batch: reports.write_page(batch, pages))
        except IngestRejected as rejection:
            reports.publish_rejection(rejection, reports.write_rejection(rejection, pages))
            raise


def _source(parameters: RetrainParameters, settings: Settings, store: Store, advance: Progress) -> Source | None:
    """Return the source, ready to be read; None if the run retrains on what is stored."""
    if parameters.source is SourceName.SIMULATOR:
        world = asked.world_of(parameters, store)
        source = simulator.SimulatorSource(world, settings.state_folder / "simulated", advance)
        simulator.write(source)
        worlds.refuse_other(store, source, exports.HandedOver(settings.places.decided_days(store.root.name)).batches())
        return source
    return open_source(parameters.source.value, parameters.inputs) if parameters.inputs else None


@task(name="version the data", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def version_data(settings: Settings) -> str:
    """Push DVC's version of the data folder, and return it. Retried: the remote may be out of reach for a moment."""
    with stage("Version the data"):
        tell_published(settings)  # what an earlier run did not live to tell
        version = versioning.snapshot(settings.data_folder, settings.state_folder)
        tell_published(settings)
    return version


@task(name="look for the same", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def find_the_same(settings: Settings, made_from: str) -> origins.Earlier | None:
    """Return the result of an earlier retraining from the same, if it stands. Retried: MLflow may be restarting."""
    with stage("Look for the same"):
        return incumbents.of_the_same(settings.places, made_from)


@task(name="compute features", cache_policy=NO_CACHE)
def compute_features(workspace: Workspace, run: cache.Runner = cache.one_after_another) -> cache.Built:
    """Compute the matrix for the days that are new or changed; the other days are cached."""
    reads(datasets.data(versioning.taken(workspace.places.data, workspace.places.state)))
    with stage("Compute features") as advance:
        return workspace.features(advance, run)


@task(name="fetch the last version", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def fetch_last(settings: Settings, scratch: Path) -> Incumbent | None:
    """Return the version trained last, from whose tuning this one starts. Retried: MLflow may be restarting."""
    return incumbents.last_registered(settings.places, scratch, get_run_logger().warning)


@task(name="train", cache_policy=NO_CACHE)
def train_model(
    parameters: RetrainParameters,
    workspace: Workspace,
    built: cache.Built,
    last: Incumbent | None,
    grow: boosting.Grow,
) -> Trained:
    """Train a risk model on the labels known today, tuned a little further than the last one of this source."""
    policy = workspace.policy
    delay, budget = policy.features.label_delay_days, policy.training.search
    with stage("Tune") as advance:
        dataset = selection_log.with_probabilities(workspace.dataset(built), workspace.selections.read())
        split = splits.split_by_time(dataset, policy.training, delay)
        detects = workspace.detects(split.windows["test"][0])
        first, origin = tuning.AS_THEY_STAND, "parameters as they stand"
        if last and last.source == workspace.source:
            first, origin = tuning.reused(last.model.training), f"version {last.version}"
        trials = budget.full_trials if parameters.search is Search.FULL else budget.trials
        found = tuning.search(
            split.before_test, CATALOGUE, policy.training, trials, delay, first, origin, advance, detects
        )
    with stage("Train") as advance:
        model = train(
            split.train,
            split.validation,
            CATALOGUE,
            policy.training,
            policy.targeting,
            advance,
            final_frame=split.before_test,
            tuning=found.tuning,
            grow=grow,
            detects=detects,
        )
    return Trained(model, split, dataset, found)


@task(name="fetch the champion", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def fetch_champion(settings: Settings, scratch: Path) -> Incumbent | None:
    """Return the model in force, if there is one. Retried: MLflow may be restarting."""
    champion = incumbents.champion(settings.places, scratch)
    if champion:
        reads(datasets.model(champion.version))
    return champion


@task(name="evaluate", cache_policy=NO_CACHE)
def evaluate_model(
    policy: Policy, store: Store, trained: Trained, champion: Incumbent | None, folder: Path
) -> assessment.Measured:
    """Measure the model on the test rows beside baselines and champion; write figures and plots into `folder`."""
    with stage("Evaluate"):
        truth = splits.accepted_between(store.scan("truth"), trained.split.windows["test"])
        return assessment.measure(
            trained.model, trained.split, trained.dataset, CATALOGUE, policy, champion, truth, folder
        )


@task(name="check drift", cache_policy=NO_CACHE)
def check_drift(
    policy: Policy,
    store: Store,
    trained: Trained,
    evaluation: Evaluation,
    champion: Incumbent | None,
    folder: Path,
) -> DriftResult:
    """Compare the latest window with what the champion, or else the new model, learned from.

    The new model is the reference if there is no champion of this source.
    """
    page = folder / assessment.DRIFT_PAGE
    reference, at_training = trained.model, Quality.at_training(evaluation)
    if champion and champion.source == store.root.name:
        reference, at_training = champion.model, Quality.at_training(champion.evaluation)
    with stage("Check drift"):
        return assessment.watch(trained.dataset, reference, at_training, policy, page)


@task(name="rehearse", cache_policy=NO_CACHE)
def rehearse_model(
    policy: Policy, store: Store, trained: Trained, champion: Incumbent | None, folder: Path
) -> side_by_side.SideBySide | side_by_side.NotRehearsed:
    """Replay what challenger and champion would have had inspected in the weeks of the test part."""
    with stage("Rehearse"):
        truth = splits.accepted_between(store.scan("truth"), trained.split.windows["test"])
        return assessment.rehearse(
            trained.model, trained.split, trained.dataset, champion, store.root.name, truth, policy, folder
        )


@task(name="judge", cache_policy=NO_CACHE)
def judge_model(
    workspace: Workspace,
    trained: Trained,
    measured: assessment.Measured,
    champion: Incumbent | None,
    drift: DriftResult,
    rehearsed: side_by_side.SideBySide | side_by_side.NotRehearsed,
    origin: assessment.Origin,
    folder: Path,
) -> tuple[Candidate, tuple[Gate, ...]]:
    """Estimate what inspections find, judge the gates, and write the model card and the evidence manifest."""
    policy, store = workspace.policy, workspace.store
    with stage("Judge"):
        tested = trained.split.test.lazy().select(KEY)
        declared = store.scan("declarations").select(*KEY, "currency").join(tested, on=KEY, how="semi")
        inspected = store.scan("outcomes").select(*KEY, lane="inspection_channel").join(tested, on=KEY, how="semi")
        detected = assessment.detect(
            measured, trained.split, inspected.collect(), workspace.second_looks.read(), workspace.tomorrow, policy
        )
        return assessment.assemble(
            trained.model,
            trained.split,
            measured,
            champion,
            drift,
            rehearsed,
            detected,
            origin,
            policy,
            declared.collect(engine="streaming"),
            folder,
        )


@task(name="register", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def register_model(settings: Settings, store: Store, candidate: Candidate, champion: Incumbent | None) -> Registration:
    """Register the run, and a version that awaits sign-off if every gate passed. Retried: it finds what it began.

    The champion itself, made again from unchanged data and code, is no candidate: it would only be compared with
    itself.
    """
    registry = incumbents.registry_of(settings.places)
    if champion and candidate.manifest.is_same_model(champion.manifest):
        return registry.registration(registry.version(champion.version))
    reports.gather_validation(settings, store, candidate.folder)
    with stage("Register"):
        registration = registry.register(candidate, incumbents.being_signed(settings.places))
    if registration.version:
        writes(datasets.model(registration.version))
    return registration


@task(name="publish", cache_policy=NO_CACHE)
def publish(settings: Settings, summary: Summary, candidate: Candidate) -> None:
    """Publish Prefect artifacts: what happened, the model card, and a link to the reports in MLflow."""
    card = (candidate.folder / CARD).read_text()
    url = reports.run_url(settings, summary.registration.run_id)
    reports.publish_retraining(summary, card, url)


@task(name="publish", cache_policy=NO_CACHE)
def publish_unchanged(settings: Settings, unchanged: Unchanged) -> None:
    """Publish Prefect artifacts: that there was nothing to do, and a link to the earlier run in MLflow."""
    url = reports.run_url(settings, unchanged.earlier.run_id)
    reports.publish_unchanged(unchanged, url)


def _workforce(parameters: RetrainParameters, settings: Settings) -> AbstractContextManager[Workforce]:
    engine = parameters.engine or settings.engine
    return workforce(engine, parameters.address or settings.ray_address, settings)


def _is_by_hand() -> bool:
    """Whether a person started this run: no schedule, no automation, and not the catch-up of a missed night."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return True
    is_automatic = run.created_by is not None and run.created_by.type == "AUTOMATION"
    return not (run.auto_scheduled or is_automatic or CATCH_UP in run.tags)
