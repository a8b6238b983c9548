"""The selection flow: the model in force selects what is inspected among the declarations not yet selected.

The model selects by the policy that was signed with it; the present content of models/policy.toml plays no part. The
draw is seeded by the system's entropy, so that no trader can foretell it. The seed is kept with what was drawn, so that
an auditor can draw it again. Each day is drawn by itself, from what was known before it, whichever other days wait.

A selection counts once it is in the log. Its work list is on the disk before that, and gets its name after it. A run
that dies in between has selected, and the next run gives the name; a run that dies earlier has done nothing.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from features.contract import KEY
from features.disk import PARTIAL, atomic
from features.matrix import cache
from features.presentation import spreadsheet
from features.store import Store
from flows.host import running
from flows.progress import run_name, stage, wait
from flows.requests import SelectParameters
from flows.retrain import compute_features, fetch_champion, version_data
from flows.settings import Settings
from models.dossier import assessment
from models.policy import LANES, Policy
from models.risk import RiskModel, feature_code
from models.targeting import Backlog, lanes, selection_log, work_list
from models.training import days, splits

_DEFAULTS = SelectParameters()


@dataclass(frozen=True)
class Selected:
    """What a run selected of source `source`.

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
        built = compute_features(settings, champion.policy, store)
        selected = choose(settings, store, built, champion, parameters)
        if selected.number is not None:
            version_data(settings)
    return selected


def _why_nothing(store: Store, champion: assessment.Incumbent | None) -> str:
    source = store.root.name
    if not store.days():
        return f"{store.root} holds no declarations; retrain on source {source} first"
    if champion is None:
        return "no model is in force; the first version that all have signed selects"
    return f"the champion, version {champion.version}, is of source {champion.source}; none of {source} is in force"


@task(name="choose", cache_policy=NO_CACHE)
def choose(
    settings: Settings,
    store: Store,
    built: cache.Built,
    champion: assessment.Incumbent,
    parameters: SelectParameters,
) -> Selected:
    """Choose a lane for every declaration without one, log the choice, and write the work list of those to inspect."""
    log = selection_log.SelectionLog(settings.selections_folder / store.root.name)
    lists = settings.state_folder / "reports" / "selections" / store.root.name
    lists.mkdir(parents=True, exist_ok=True)
    _name_finished(lists, log)
    before, number = log.read(), log.next_number
    with stage("Choose"):
        every = built.scan().with_columns(accepted_on=pl.col("accepted_at").dt.date())
        _, last_day = days.of_data(every)
        declarations = selection_log.pending(_with_importers(store, every), before, last_day)
        if declarations.is_empty():
            why = f"every declaration until {last_day} was selected before"
            return Selected(store.root.name, champion.version, why_nothing=why)
        seed = secrets.randbits(128)
        by_day = declarations.partition_by("accepted_on", maintain_order=True)
        waiting = backlog(champion.policy, store, built, champion.model, before)
        chosen = pl.concat(waiting.choose(rows, seed) for rows in by_day).with_columns(
            hit_value=pl.lit(champion.model.hit_value),
            model_version=pl.lit(champion.version),
            model_digest=pl.lit(champion.model.digest),
            policy_digest=pl.lit(champion.policy_digest),
            draw_seed=pl.lit(f"{seed:032x}"),
            selected_at=pl.lit(datetime.now(UTC)),
        )
    with stage("Give reasons"):
        work = work_list(champion.model, declarations, chosen, parameters.language.value)
        path = lists / f"{number:06}.csv"
        spreadsheet.write(_unnamed(path), work)
        atomic.flush([_unnamed(path)])
    log.append(chosen)
    _name_finished(lists, log)
    _publish(chosen)
    counts = dict(chosen.filter(pl.col("lane") != "green")["lane"].value_counts().iter_rows())
    inspections = {lane: counts.get(lane, 0) for lane in LANES}
    unplaced = lanes.unplaced(chosen, chosen, champion.policy.targeting).height
    return Selected(
        store.root.name,
        champion.version,
        splits.window(declarations),
        chosen.height,
        inspections,
        unplaced,
        number,
        path,
    )


def backlog(policy: Policy, store: Store, built: cache.Built, model: RiskModel, log: pl.DataFrame) -> Backlog:
    """Read once what every day that waits is chosen by; `log` has the selections before."""
    delay = policy.features.label_delay_days
    outcomes = cache.outcomes(store, delay).collect()
    labelled = outcomes.filter(pl.col("is_inspected") & pl.col("is_illicit").is_not_null()).select(KEY).unique()
    inspected = _with_importers(store, built.scan().join(labelled.lazy(), on=KEY, how="semi"))
    rows = inspected.collect(engine="streaming").sort("accepted_at", *KEY)
    return Backlog(policy, model, log, outcomes, rows)


def _unnamed(work_list: Path) -> Path:
    return work_list.with_name(work_list.name + PARTIAL)


def _name_finished(lists: Path, log: selection_log.SelectionLog) -> None:
    """Rename the work lists whose selection is in the log to their final name."""
    paths = [lists / f"{number:06}.csv" for number in range(1, log.next_number)]
    for path in paths:
        if _unnamed(path).exists():
            _unnamed(path).replace(path)
    atomic.flush([lists])


def _with_importers(store: Store, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add their importers to `rows`: ids are no features, and exploration asks whether an importer is new."""
    # The order is kept: sums of floats, and the lines of the log, are to be the same each time.
    importers = store.scan("declarations").select(*KEY, "importer_id")
    return rows.join(importers, on=KEY, how="left", maintain_order="left")


def _publish(chosen: pl.DataFrame) -> None:
    """Publish the inspections by office and lane as a Prefect artifact."""
    by_office = chosen.group_by("office").agg(
        pl.len().alias("declarations"), *((pl.col("lane") == lane).sum().alias(lane) for lane in LANES)
    )
    create_table_artifact(
        by_office.sort("office").to_dicts(), key="selection", description="Inspections by office and lane"
    )
