"""The selection flow on a small simulated store: it selects everybody once, keeps to the places, and tells officers."""

import hashlib
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contract import KEY
from features.ingestion.batches import ingest
from features.matrix import cache
from features.matrix.matrix import CATALOGUE
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource, write
from features.store import versioning
from features.store.store import Store
from flows import select as flow
from flows.parameters import Language, SelectParameters
from flows.settings import Settings
from models import policy
from models.criteria import Register, Step
from models.targeting.selection_log import SCHEMA, SelectionLog
from models.training.fitting import train
from models.training.splits import split_validation
from models.workspace import Workspace
from models.workspace import workspace as workspaces
from tests.support.criteria import condition, criterion
from tests.support.datasets import TARGETING, TRAINING
from tests.support.prefect_server import prefect_server

pytestmark = pytest.mark.timeout(300)
DELAY = policy.load().features.label_delay_days


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A working folder with a store, and a model that has learned from it."""
    folder = tmp_path_factory.mktemp("select")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("TIDEWAITER_")]:
            patch.delenv(name)
        source = SimulatorSource(Parameters(rows=9000, months=6, seed=2), folder / "simulated")
        write(source)
        store = Store(folder / "data" / "simulator")
        ingest(source, store, policy.load().ingestion)
        built = cache.build(store, DELAY, Settings().places.features("simulator", DELAY))
        dataset = cache.dataset(store, built, DELAY, cache.last_known_day(store, DELAY))
        model = train(*split_validation(dataset, TRAINING, DELAY), CATALOGUE, TRAINING, TARGETING)
        with prefect_server():
            yield store, built, model


def workspace(decides):
    return Workspace(Settings().places, decides, "simulator")


@pytest.fixture
def champion(stored, monkeypatch):
    champion = SimpleNamespace(version="7", source="simulator", model=stored[2], policy=policy.load())
    monkeypatch.setattr(flow, "fetch_champion", lambda settings, scratch: champion)
    return champion


def test_before_the_first_promotion_nothing_is_selected_and_the_run_says_why(stored, monkeypatch):
    monkeypatch.setattr(flow, "fetch_champion", lambda settings, scratch: None)
    found = flow.select()
    assert found.why_nothing == "no model is in force; the first version that all have signed selects"
    assert SelectionLog(stored[0].root.parent / "selections" / "simulator").read().is_empty()


def test_what_meets_a_criterion_is_selected_by_it_on_the_days_of_its_life(stored, champion):
    store, built, _ = stored
    last = store.days()[-1]
    declared = store.scan("declarations", last, last).collect()
    busiest = declared["office"].value_counts(sort=True)["office"][0]
    ours = criterion("busy", condition("office", "in", busiest), lane="blue", places=1, begins_on=last, ends_on=last)
    before = last - timedelta(days=1)
    over = criterion("over", condition("office", "in", busiest), begins_on=before, ends_on=before)
    register, at = Register(), datetime.now(UTC)
    for each in (ours, over):
        for what in ("propose", "confirm"):
            register.apply(Step(what, what, at, each.digest, "x", each, 90))
    decides = workspace(policy.load())
    rows = decides.choose(built, champion, register).rows
    placed = rows.filter(reason="criterion")
    assert placed.select("office", "criterion", "selection_probability").rows() == [(busiest, "busy", 1.0)]
    assert rows.height == declared.height
    assert rows["criterion"].drop_nulls().to_list() == ["busy"]
    without = decides.choose(built, champion, Register()).rows
    assert without.filter(reason="criterion").is_empty()


def test_the_latest_day_is_selected_then_all_that_came_since_and_nothing_twice(stored, champion):
    store, built, _ = stored
    log = SelectionLog(store.root.parent / "selections" / "simulator")
    last = store.days()[-1]
    first = flow.select(SelectParameters(language=Language.FR))
    kept = log.read()
    assert (first.number, first.days, first.declarations) == (1, (last, last), kept.height)
    assert kept.height == store.rows("declarations")[last]
    assert kept.schema == SCHEMA
    assert kept["selection_probability"].is_between(0, 1).all()
    assert kept.filter((pl.col("lane") == "green") != (pl.col("reason") == "none")).is_empty()
    assert first.inspections == {lane: kept.filter(pl.col("lane") == lane).height for lane in ("red", "yellow", "blue")}
    assert versioning.current(store.root.parent) is not None

    again = flow.select()
    assert again.why_nothing == f"every declaration until {last} was selected before"
    assert log.read().equals(kept)

    # As if the first selection had been some days earlier: what came since has no lane yet.
    earlier = kept.head(1).with_columns(accepted_on=pl.lit(store.days()[-4]))
    earlier.write_parquet(log.root / "000001.parquet")
    second = flow.select()
    assert second.days == (store.days()[-4], last)
    both = log.read()
    assert both.select(KEY).is_duplicated().sum() == 0
    days = built.scan().filter(pl.col("accepted_at").dt.date() >= store.days()[-4]).select(KEY).collect()
    assert both.select(KEY).sort(KEY).equals(days.sort(KEY))


def test_an_auditor_draws_the_same_lanes_again(stored):
    store, built, model = stored
    log = SelectionLog(store.root.parent / "selections" / "simulator").read()
    kept = log.filter(pl.col("draw_seed") == log["draw_seed"][-1])
    before = log.filter(pl.col("draw_seed") != log["draw_seed"][-1])
    importers = store.scan("declarations").select(*KEY, "importer_id").collect()
    declarations = (
        built.scan()
        .with_columns(accepted_on=pl.col("accepted_at").dt.date())
        .collect()
        .join(importers, on=KEY)
        .join(kept.select(KEY), on=KEY, how="semi")
    )
    told = ("lane", "reason", "selection_probability", "exploring_share")
    days = kept.with_columns(pl.col("lane", "reason").cast(pl.String)).partition_by("accepted_on")
    assert len(days) > 1
    waiting = workspace(policy.load()).backlog(built, model, before)
    for rows in days:
        own = declarations.join(rows.select(KEY), on=KEY, how="semi")
        again = waiting.choose(own, int(rows["draw_seed"][0], 16))
        assert_frame_equal(again.sort(KEY).select(*KEY, *told), rows.sort(KEY).select(*KEY, *told))


def test_those_that_arrive_late_get_what_is_left_of_their_office_and_day(stored):
    store, built, model = stored
    last = store.days()[-1]
    rows = (
        built.scan()
        .with_columns(accepted_on=pl.col("accepted_at").dt.date())
        .filter(accepted_on=last)
        .collect()
        .join(store.scan("declarations").select(*KEY, "importer_id").collect(), on=KEY)
    )
    office = rows["office"].mode()[0]
    rows = rows.filter(office=office)
    assert rows.height >= 6
    ours = policy.load()
    own = ours.targeting.model_copy(update={"offices": {office: policy.Capacity(red=1, yellow=2, blue=0)}})
    ours = ours.model_copy(update={"targeting": own})
    nothing = pl.DataFrame(schema=SCHEMA)
    early = workspace(ours).backlog(built, model, nothing).choose(rows.head(3), 1)
    assert (early["lane"] == "green").sum() == 0
    log = pl.concat(
        [
            nothing,
            early.with_columns(
                hit_value=pl.lit(1.0),
                draw_seed=pl.lit("1"),
                selected_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)),
                **{name: pl.lit("-") for name in ("model_version", "model_digest", "policy_digest")},
            ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()),
        ]
    )
    late = workspace(ours).backlog(built, model, log).choose(rows.tail(-3), 2)
    assert (late["lane"] == "green").all()
    assert (late["selection_probability"] == 0).all()


def test_officers_find_what_to_inspect_in_order_with_reasons(stored, champion):
    listed = sorted((stored[0].root.parents[1] / ".tidewaiter/reports/selections/simulator").glob("*.csv"))
    work = pl.read_csv(listed[-1], schema_overrides={"office": pl.String})
    log = SelectionLog(stored[0].root.parent / "selections" / "simulator").read()
    picked = log.filter(pl.col("lane") != "green", pl.col("draw_seed") == log["draw_seed"][-1])
    assert work.height == picked.height > 0
    assert set(work["declaration_id"]) == set(picked["declaration_id"])
    assert work["why_1"].null_count() == 0
    assert work.equals(work.sort("office", "accepted_on", maintain_order=True))


def test_a_run_that_dies_before_the_log_leaves_no_list_and_after_it_the_next_one_names_it(
    stored, champion, monkeypatch
):
    log = SelectionLog(stored[0].root.parent / "selections" / "simulator")
    lists = stored[0].root.parents[1] / ".tidewaiter/reports/selections/simulator"
    for path in (*log.root.glob("*"), *lists.glob("*")):
        path.unlink()

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SelectionLog, "append", dies)
        with pytest.raises(KeyboardInterrupt):
            flow.select()
    assert log.read().is_empty()
    assert list(lists.glob("*.csv")) == []

    moments = iter([lambda *_: None, dies])  # before the choice, and after the log
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "name_finished", lambda self: next(moments)(self))
        with pytest.raises(KeyboardInterrupt):
            flow.select()
    assert log.read().height
    assert list(lists.glob("*.csv")) == []
    assert flow.select().number is None
    assert [path.name for path in lists.glob("*")] == ["000001.csv"]
    assert pl.read_csv(lists / "000001.csv").height == log.read().filter(pl.col("lane") != "green").height


def test_what_decides_is_what_was_signed_whatever_the_file_on_the_disk_says(stored, champion, monkeypatch, tmp_path):
    log = SelectionLog(stored[0].root.parent / "selections" / "simulator")
    lists = stored[0].root.parents[1] / ".tidewaiter/reports/selections/simulator"
    monkeypatch.setattr(workspaces, "secrets", SimpleNamespace(randbits=lambda bits: 7))
    monkeypatch.setattr(flow, "version_data", lambda settings: None)  # seconds each time, and nothing of it is asked

    def selected():
        for path in (*log.root.glob("*"), *lists.glob("*")):
            path.unlink()
        flow.select()
        return log.read().drop("selected_at"), (lists / "000001.csv").read_bytes()

    kept, listed = selected()
    assert kept["policy_digest"].unique().to_list() == [champion.policy.digest]
    edited = champion.policy.written
    for mine, other in (
        (b"label_delay_days = 7 ", b"label_delay_days = 60 "),
        (b"random_share = 0.01", b"random_share = 0.03"),
        (b"capacity_share = 0.04", b"capacity_share = 0.20"),
        (b"initial_share = 0.02", b"initial_share = 0.30"),
        (b"kept_precision = 0.93", b"kept_precision = 0.10"),
    ):
        assert mine in edited
        edited = edited.replace(mine, other)
    monkeypatch.setattr(policy, "POLICY_FILE", tmp_path / "policy.toml")
    policy.POLICY_FILE.write_bytes(edited)
    assert policy.load().targeting.random_share == 0.03
    again, listed_again = selected()
    assert_frame_equal(again, kept, check_exact=True)
    assert listed_again == listed

    champion.policy = policy.load()  # signed with it, it counts
    later, _ = selected()
    assert later["policy_digest"].unique().to_list() == [hashlib.sha256(edited).hexdigest()]
    assert later.filter(pl.col("lane") != "green").height > kept.filter(pl.col("lane") != "green").height
    # Features of the other delay are in a folder of their own; those of the first are there as they were.
    folders = {Settings().places.features("simulator", delay) for delay in (DELAY, 60)}
    assert all(list(folder.glob("*.parquet")) for folder in folders)
    assert stored[1].scan().collect().height
