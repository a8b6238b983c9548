"""The selection flow: the model in force selects what is inspected among the declarations not yet selected.

The model selects by the policy that was signed with it; the present content of models/policy.toml plays no part. How
it chooses, and what counts when, is in models/workspace/workspace.py. A run that dies after its selection is in the log
has selected, and the next run gives the work list its name; a run that dies earlier has done nothing.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from features.matrix import cache
from features.store import Store
from flows.observed import observed, writes
from flows.parameters import SelectParameters
from flows.processes import running
from flows.progress import run_name, stage, wait
from flows.retrain import compute_features, fetch_champion, version_data
from flows.settings import Settings
from models.criteria import Register
from models.dossier import Incumbent
from models.lineage import datasets
from models.policy import LANES
from models.targeting import lanes
from models.training import splits
from models.workspace import Workspace, feature_code, incumbents, why_empty

_DEFAULTS = SelectParameters()


@dataclass(frozen=True)
class Selected:
    """Tells what a run selected of source `source`.

    `number` counts the selections kept so far, this one included, and `work_list` is its file. `unplaced` counts goods
    that are likely to be critical and for which their office had no place left. `number` and `work_list` are None if
    nothing was selected, and `why_nothing` says why: before the first promotion no model selects, and such a night is
    no failure.
    """

    source: str
    version: str | None = None
    days: tuple[date, date] | None = None
    declarations: int = 0
    inspections: dict[str, int] = field(default_factory=dict)
    unplaced: int = 0
    number: int | None = None
    work_list: Path | None = None
    why_nothing: str | None = None


@flow(name="select")
@observed
def select(parameters: SelectParameters = _DEFAULTS) -> Selected:
    """Select among the declarations that are new, keep the selection, and write the officers' work list."""
    settings = Settings()
    store = Store(settings.data_folder / parameters.source.value)
    source = store.root.name
    with (
        running.turn(settings.state_folder, run_name("select"), wait),
        TemporaryDirectory(prefix="tidewaiter-") as scratch,
    ):
        champion = fetch_champion(settings, Path(scratch))
        if not store.days() or champion is None or champion.source != source:
            return Selected(source, why_nothing=_why_nothing(store, champion))
        if remark := feature_code.check(champion.model, f"champion version {champion.version}", source):
            get_run_logger().warning(remark)
        workspace = Workspace(settings.places, champion.policy, source)
        register = incumbents.criteria(settings.places)
        selected = choose(workspace, compute_features(workspace), champion, register, parameters)
        if selected.number is not None:
            version_data(settings)
    return selected


def _why_nothing(store: Store, champion: Incumbent | None) -> str:
    source = store.root.name
    if why := why_empty(store):
        return why
    if champion is None:
        return "no model is in force; the first version that all have signed selects"
    return f"the champion, version {champion.version}, is of source {champion.source}; none of {source} is in force"


@task(name="choose", cache_policy=NO_CACHE)
def choose(
    workspace: Workspace,
    built: cache.Built,
    champion: Incumbent,
    register: Register,
    parameters: SelectParameters,
) -> Selected:
    """Choose a lane for every declaration without one, log the choice, and write the work list of those to inspect."""
    workspace.name_finished()
    with stage("Choose"):
        choice = workspace.choose(built, champion, register)
    if choice.rows.is_empty():
        why = f"every declaration until {choice.last_day} was selected before"
        return Selected(workspace.source, champion.version, why_nothing=why)
    with stage("Give reasons"):
        number, path = workspace.keep(choice, champion.model, parameters.language.value)
    writes(datasets.selection(workspace.source, number))
    _publish(choice.rows)
    counts = dict(choice.rows.filter(pl.col("lane") != "green")["lane"].value_counts().iter_rows())
    return Selected(
        workspace.source,
        champion.version,
        splits.window(choice.declarations),
        choice.rows.height,
        {lane: counts.get(lane, 0) for lane in LANES},
        lanes.unplaced(choice.rows, choice.rows, workspace.policy.targeting).height,
        number,
        path,
    )


def _publish(chosen: pl.DataFrame) -> None:
    """Publish the inspections by office and lane as a Prefect artifact."""
    by_office = chosen.group_by("office").agg(
        pl.len().alias("declarations"), *((pl.col("lane") == lane).sum().alias(lane) for lane in LANES)
    )
    create_table_artifact(
        by_office.sort("office").to_dicts(), key="selection", description="Inspections by office and lane"
    )
