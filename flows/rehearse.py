"""The rehearsal flow: what would each strategy of choosing have found in the weeks that have passed?

It needs declarations whose truth is known: simulated ones, or the public Korean ones, which were all inspected.
"""

import tempfile
from pathlib import Path

import polars as pl
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import deployment, flow_run

from features import simulator
from features.contract import KEY
from features.disk import write_atomically
from features.facts import Known, kinds
from features.ingestion import ingest
from features.sources import open_source
from features.store import Store
from flows.observed import observed, writes
from flows.parameters import RehearseParameters
from flows.progress import stage
from flows.run_requests import forms
from flows.settings import Settings
from models.backtesting import answering, rehearsal_plots, replay, result, simulated, strategies
from models.evaluation import schemes
from models.lineage import datasets
from models.metrics import Estimate
from models.policy import Policy
from models.policy import load as load_policy

RESULT = "rehearsal.json"
# Each strategy is compared with that of the literature (bacuda), and exploration with the product without it.
PAIRS = (("exploring", "bacuda"), ("product", "bacuda"), ("exploring", "product"))
# The totals of a strategy that people see, each with its title and form.
_SHOWN = {
    "inspected": ("inspected", ",.0f"),
    "hits": ("hits", ",.0f"),
    "precision": ("precision", ".3f"),
    "revenue": ("revenue", ",.0f"),
    "revenue_share": ("of all revenue", ".3f"),
}
_SHOWN_OF_ANSWERS = {"moved": ("moved", ",.0f"), "moved_hit_share": ("found of what moved", ".3f")}

_DEFAULTS = RehearseParameters()


@flow(name="rehearse")
@observed
def rehearse(parameters: RehearseParameters = _DEFAULTS) -> result.Rehearsal:
    """Replay the weeks under each strategy, and write the document and its pictures."""
    settings, policy = Settings(), load_policy()
    if deployment.name:
        forms.judge_run(parameters, settings, Path.cwd())
    seeds = range(parameters.seed, parameters.seed + parameters.seeds)
    replayed = {seed: replay_seed(parameters, policy, seed) for seed in seeds}
    found = result.summarise(
        {seed: logs for seed, (logs, _) in replayed.items()},
        {seed: known for seed, (_, known) in replayed.items()},
        declarations_of(parameters),
        setting_of(parameters),
        policy.targeting.lanes,
        PAIRS,
        policy.evaluation.confidence,
        policy.evaluation.bootstrap_resamples,
    )
    publish(found, folder_of(parameters, settings))
    writes(datasets.report("rehearsals", parameters.source.value, str(flow_run.id)))
    return found


@task(name="replay", cache_policy=NO_CACHE)
def replay_seed(
    parameters: RehearseParameters, policy: Policy, seed: int
) -> tuple[dict[str, pl.DataFrame], frozenset[str]]:
    """Return the log of each strategy in the world of one seed, and the schemes that its warm-up found."""
    setting, delay = setting_of(parameters), policy.features.label_delay_days
    with stage(f"Prepare, seed {seed}"):
        past, truth = _korean(parameters, policy) if parameters.input else simulated(_world(parameters, seed), delay)
        world = replay.ReplayedWorld.of(past, truth, delay, setting, seed)
    with stage(f"Replay {len(world.weeks)} weeks, seed {seed}") as advance:
        chosen = _strategies(policy, setting, seed)
        traders = answering.Traders.of(world, seed, answering.Behaviour()) if setting.answers else None
        logs = replay.rehearse(world, chosen, setting.retrain_weeks, policy.targeting.lanes, seed, advance, traders)
    return logs, world.found_schemes


@task(name="publish", cache_policy=NO_CACHE)
def publish(found: result.Rehearsal, folder: Path) -> None:
    """Write the document and the pictures into `folder`, and publish the table as a Prefect artifact."""
    with stage("Publish"):
        rehearsal_plots.draw(found, folder)
        text = found.model_dump_json(indent=1) + "\n"
        write_atomically(folder / RESULT, lambda draft: draft.write_text(text))
    create_markdown_artifact(as_markdown(found), key="rehearsal", description="What each strategy would have found")


def folder_of(parameters: RehearseParameters, settings: Settings) -> Path:
    """Return where the document and the pictures go."""
    return parameters.out or settings.state_folder / "reports" / "rehearsal"


def as_markdown(found: result.Rehearsal) -> str:
    """Return the totals of each strategy, and when it first found each new scheme, as Markdown."""
    shown = _SHOWN | _SHOWN_OF_ANSWERS if found.setting.answers else _SHOWN
    lines = [f"| strategy | {' | '.join(title for title, _ in shown.values())} |", "|---" * (len(shown) + 1) + "|"]
    for one in found.strategies:
        cells = (_cell(one.totals[name], how) for name, (_, how) in shown.items())
        lines.append(f"| {one.name} | {' | '.join(cells)} |")
    over = "worlds" if len(found.seeds) > 1 else "the weeks of this one world, which say nothing of another"
    lines.append(f"\nIn brackets: {100 * found.confidence:g} % intervals over {over}.")
    if found.setting.answers:
        lines.append("Moved: illicit consignments of traders who went to where they believe little is looked at.")
    for one in found.strategies:
        for new in one.novelties:
            when = "never found" if new.weeks_until_first is None else f"first found in week {new.weeks_until_first}"
            lines.append(f"\n{one.name}, seed {new.seed}: {new.scheme} {when} ({new.occurred} declared)")
    return "\n".join(lines) + "\n"


def _cell(estimate: Estimate, how: str) -> str:
    return estimate.text(how, "-")


def _strategies(policy: Policy, setting: replay.Setting, seed: int) -> dict[str, replay.Strategy]:
    """Return every strategy of choosing by its name; trainings are as short as the setting says."""
    quick = setting.shortened(policy)
    return {
        "random": strategies.Random(policy.targeting),
        "risk_profile": strategies.RiskProfile(policy.targeting),
        "bacuda": strategies.Bacuda(policy.targeting, seed),
        "product": strategies.Product(quick, explores=False),
        "exploring": strategies.Product(quick, explores=True),
    }


def _world(parameters: RehearseParameters, seed: int) -> simulator.Parameters:
    return simulator.Parameters(rows=parameters.rows, months=parameters.months, seed=seed, preset=parameters.preset)


def _korean(parameters: RehearseParameters, policy: Policy) -> tuple[Known, pl.DataFrame]:
    """Return the declarations that were inspected, and their truth, which is what was found. Others are left out."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-") as scratch:
        store = Store(Path(scratch))
        ingest(open_source(parameters.source.value, parameters.input), store, policy.ingestion)
        tables = [store.scan(table).collect() for table in kinds.SOURCES]
    is_known = pl.col("is_illicit").is_not_null()
    truth = (
        tables[2]
        .filter(is_known)
        .select(
            *KEY,
            pl.when("is_illicit").then(pl.lit("unknown")).otherwise(pl.lit(schemes.NONE)).alias("scheme"),
            "is_illicit",
            pl.col("is_critical").fill_null(value=False),
            evaded_revenue=pl.col("recovered_revenue").fill_null(0.0),
        )
    )
    declarations = (
        table.join(truth.select(KEY), on=KEY, how="semi", maintain_order="left").lazy() for table in tables[:2]
    )
    outcomes = (table.lazy() for table in tables[2:])
    return kinds.build(*declarations, *outcomes, policy.features.label_delay_days), truth


def declarations_of(parameters: RehearseParameters) -> dict[str, str | int]:
    """Return which declarations are replayed: files of their source, or what a simulated world is made by."""
    source = {"source": parameters.source.value}
    if parameters.input:
        return {**source, "input": " ".join(parameters.input)}
    return {**source, "preset": parameters.preset.value, "rows": parameters.rows, "months": parameters.months}


def setting_of(parameters: RehearseParameters) -> replay.Setting:
    """Return how the weeks are replayed, in the form that the rehearsal takes."""
    names = ("warm_up_weeks", "retrain_weeks", "new_scheme", "new_from_week", "answers")
    return replay.Setting(**{name: getattr(parameters, name) for name in names})
