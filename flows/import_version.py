"""The flow that brings a version from another installation here: verified, evaluated on the data here, registered.

The model is taken as it is. Everything else that people sign is made here: figures, gates, drift, rehearsal and card,
by the policy and on the data of this installation. Nothing that was signed elsewhere counts here.
"""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from features.ingestion import IngestReport
from features.matrix import cache
from flows.observed import observed
from flows.parameters import SourceName
from flows.processes import running
from flows.progress import run_name, stage, wait
from flows.retrain import Trained, ask_to_register, assess, compute_features, version_data
from flows.run_requests import authors
from flows.settings import Settings
from flows.steps import Summary, reports
from models import transfer
from models.dossier import CARD, EVALUATION, Judged, assessment
from models.evidence import digests, manifest, seal, source_code
from models.ledger import Keys, chain, read_public_key
from models.policy import load as load_policy
from models.risk import RiskModel
from models.targeting import selection_log
from models.training import Found, splits, tuning
from models.workspace import Workspace, feature_code, why_empty

ORIGIN = "origin"  # the folder, among the run's files, of what the version was where it comes from
_KEPT = (manifest.MANIFEST_FILE, seal.SEAL_FILE, EVALUATION, CARD)


class ImportParameters(BaseModel):
    """What is brought here: the file, and the origin's public key and head, which came by another way than the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    key: Path
    head: chain.Head
    requested_by: str = ""


@flow(name="import")
@observed
def import_version(parameters: ImportParameters) -> Summary:
    """Verify an exported version, evaluate it on the data here, judge it, and register it as a challenger."""
    made_by = authors.of_run(parameters.requested_by, None, is_by_hand=True)
    settings, policy = Settings(), load_policy()
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        exported = verify(parameters, Path(scratch) / "exported")
        judged = Judged.model_validate_json((exported.folder / "run" / EVALUATION).read_bytes())
        workspace = Workspace(settings.places, policy, SourceName(judged.about.source).value)
        if why := why_empty(workspace.store):
            raise LookupError(why)
        with running.turn(settings.state_folder, run_name("import"), wait):
            ask_to_register(settings, made_by)
            return _assess(settings, workspace, exported, made_by, Path(scratch))


def _assess(
    settings: Settings, workspace: Workspace, exported: transfer.Exported, made_by: str, scratch: Path
) -> Summary:
    code, uncommitted, version = source_code.code_state(), source_code.uncommitted(), version_data(settings)
    built = compute_features(workspace)
    trained = put_to_test(workspace, built, exported)
    _keep_origin(exported, scratch / "evidence" / ORIGIN)
    made_from = {"imported": exported.origin.seal, "data_version": version, "policy_sha256": workspace.policy.digest}
    origin = assessment.Origin(
        workspace.source,
        version,
        reports.validation(workspace.store),
        code,
        uncommitted,
        made_by,
        trained.found,
        digests.json_digest(made_from),
        exported.origin.sentence,
    )
    return assess(settings, workspace, trained, origin, IngestReport(()), built, scratch)


@task(name="verify", cache_policy=NO_CACHE)
def verify(parameters: ImportParameters, folder: Path) -> transfer.Exported:
    """Verify everything in the file by the origin's key and head; lay it out in `folder`.

    ValueError if it comes from this installation: who imports it is its author, so its real author could sign it.
    """
    key, now = read_public_key(parameters.key), datetime.now(UTC)
    own = Keys(Settings().signoff_folder)
    if own.exist() and key == own.public_key:
        raise ValueError(f"{parameters.key} is the key of this installation: what was made here cannot be imported")
    with stage("Verify the exported version"):
        return transfer.read(parameters.file, key, parameters.head, load_policy().signoff, now, folder)


@task(name="put to the test", cache_policy=NO_CACHE)
def put_to_test(workspace: Workspace, built: cache.Built, exported: transfer.Exported) -> Trained:
    """Load the model, and split off the labelled rows here that it can be judged by: those after all it learned from.

    ValueError if there are none, or if its features are computed by other code here.
    """
    with stage("Put to the test"):
        model = RiskModel.load(exported.folder / "model" / seal.RISK_MODEL)
        feature_code.check(model, f"imported version {exported.origin.version}", workspace.source)
        delay, parts = workspace.policy.features.label_delay_days, model.training.parts
        dataset = selection_log.with_probabilities(workspace.dataset(built), workspace.selections.read())
        split = splits.split_by_time(dataset, workspace.policy.training, delay)
        since = parts.final.last_day + timedelta(days=1)
        test = split.test.filter(pl.col("accepted_at").dt.date() >= since)
        if test.is_empty():
            raise ValueError(
                f"the model has learned from days until {parts.final.last_day}, and labelled declarations here end on "
                f"{split.windows['test'][1]}: there is nothing to judge it by that it has not seen"
            )
        learned = {"train": parts.train, "validation": parts.validation}
        windows = {name: (part.first_day, part.last_day) for name, part in learned.items()}
        split = replace(split, test=test, windows={**windows, "test": splits.window(test)})
    # Nothing is trained here. Its own tuning is in the model's record, and need not be one that could be found today.
    found = Found(tuning.AS_THEY_STAND, f"imported version {exported.origin.version}")
    return Trained(model, split, dataset, found)


def _keep_origin(exported: transfer.Exported, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "origin.json").write_text(exported.origin.model_dump_json(indent=1) + "\n")
    for name in _KEPT:
        shutil.copyfile(exported.folder / "run" / name, folder / name)
