"""The selection flow: what the model in force has inspected of the declarations that nobody has selected yet.

The draw is seeded by the system's entropy, so that no trader can foretell it, and the seed is kept with what was drawn,
so that an auditor can draw it again. A run that dies before its selection is kept leaves nothing, and the next one
makes it.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from features import cache
from features.asof import outcome_versions
from features.atomic import write_atomically
from features.contract import KEY
from features.store import Store
from flows import running
from flows.parameters import SelectParameters
from flows.progress import stage
from flows.retrain import compute_features, fetch_champion, version_data
from flows.settings import Settings
from models import targeting
from models.assessment import Incumbent
from models.exploration import Share
from models.policy import LANES, POLICY_FILE, Policy
from models.policy import load as load_policy
from models.risk_model import RiskModel
from models.selection import Exploring, Selector
from models.selection_log import SelectionLog, exploring_share, pending
from models.split import labelled, window
from models.work_list import work_list

_DEFAULTS = SelectParameters()


@dataclass(frozen=True)
class Selected:
    """What a run selected of source `source`.

    `number` counts the selections kept so far, this one included, and `work_list` is its file. `unplaced`: goods likely
    to be critical for which their office had no place left. Number and list are None where nothing was selected, and
    `why_nothing` says why: before the first promotion no model selects, and a night of that is no failure.
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
    settings, policy = Settings(), load_policy()
    store = Store(settings.data_folder / parameters.source.value)
    source = store.root.name
    with (
        running.turn(settings.state_folder, lambda: stage("Wait for another run to end")),
        TemporaryDirectory(prefix="tidewaiter-") as scratch,
    ):
        champion = fetch_champion(settings, Path(scratch))
        if not store.days() or champion is None or champion.source != source:
            return Selected(source, why_nothing=_why_nothing(store, champion))
        built = compute_features(settings, policy, store)
        selected = choose(settings, policy, store, built, champion, parameters)
        if selected.number is not None:
            version_data(settings)
    return selected


def _why_nothing(store: Store, champion: Incumbent | None) -> str:
    source = store.root.name
    if not store.days():
        return f"{store.root} holds no declarations; retrain on source {source} first"
    if champion is None:
        return "no model is in force; the first version that all have signed selects"
    return f"the champion, version {champion.version}, is of source {champion.source}; none of {source} is in force"


@task(name="choose", cache_policy=NO_CACHE)
def choose(
    settings: Settings,
    policy: Policy,
    store: Store,
    built: cache.Built,
    champion: Incumbent,
    parameters: SelectParameters,
) -> Selected:
    """Lanes for every declaration that has none, kept in the log. First the work list: what is kept has always one."""
    log = SelectionLog(settings.selections_folder / store.root.name)
    with stage("Choose"):
        before = log.read()
        every = built.scan().with_columns(accepted_on=pl.col("accepted_at").dt.date())
        declarations = pending(every.join(_importers(store), on=KEY, how="left"), before, store.days()[-1])
        if declarations.is_empty():
            why = f"every declaration until {store.days()[-1]} was selected before"
            return Selected(store.root.name, champion.version, why_nothing=why)
        days = window(declarations)
        outcomes = outcome_versions(
            store.scan("outcomes"), store.scan("outcomes_superseded"), policy.features.label_delay_days
        )
        share = exploring_share(before, outcomes, policy, days[0])
        seed = secrets.randbits(128)
        selector = selector_of(policy, store, built, champion.model, share, days[0])
        chosen = selector.choose(declarations, np.random.default_rng(seed)).with_columns(
            declarations["accepted_on"],
            declarations["office"],
            hit_value=pl.lit(champion.model.hit_value),
            exploring_share=pl.lit(share.value),
            model_version=pl.lit(champion.version),
            model_digest=pl.lit(champion.model.digest),
            policy_digest=pl.lit(hashlib.sha256(POLICY_FILE.read_bytes()).hexdigest()),
            draw_seed=pl.lit(f"{seed:032x}"),
            selected_at=pl.lit(datetime.now(UTC)),
        )
    with stage("Give reasons"):
        work = work_list(champion.model, declarations, chosen, parameters.language.value)
        path = settings.state_folder / "reports" / "selections" / store.root.name / f"{log.next_number:06}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, work.write_csv)
        _publish(chosen)
    number = log.append(chosen)
    counts = dict(chosen.filter(pl.col("lane") != "green")["lane"].value_counts().iter_rows())
    inspections = {lane: counts.get(lane, 0) for lane in LANES}
    unplaced = targeting.unplaced(chosen, chosen, policy.targeting).height
    return Selected(store.root.name, champion.version, days, chosen.height, inspections, unplaced, number, path)


def selector_of(
    policy: Policy, store: Store, built: cache.Built, model: RiskModel, share: Share, first_day: date
) -> Selector:
    """Who chooses among declarations accepted from `first_day` on, by what was known before that day."""
    delay = policy.features.label_delay_days
    known = labelled(cache.dataset(store, built, delay, first_day - timedelta(days=1)))
    # Ids are no features, and exploration asks whether an importer is new.
    known = known.join(_importers(store).collect(), on=KEY, how="left")
    return Selector(policy, model, Exploring.of(share, model, known))


def _importers(store: Store) -> pl.LazyFrame:
    return store.scan("declarations").select(*KEY, "importer_id")


def _publish(chosen: pl.DataFrame) -> None:
    """Inspections by office and lane, as a Prefect artifact."""
    by_office = chosen.group_by("office").agg(
        pl.len().alias("declarations"), *((pl.col("lane") == lane).sum().alias(lane) for lane in LANES)
    )
    create_table_artifact(
        by_office.sort("office").to_dicts(), key="selection", description="Inspections by office and lane"
    )
