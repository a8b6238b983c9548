"""What the window decided comes into data/ by ordinary ingestion, once, and the night chooses nothing of it again."""

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from features import messages
from models import policy
from models.decisions import DecisionLog, Document, Spool, exports
from models.places import Places
from models.targeting import selection_log
from models.window import openapi
from models.window.answering import Asked
from models.window.deciding import Decider
from models.window.ground import Ground
from models.window.making import NOTHING_PAST
from models.workspace import Workspace
from tests.support.criteria import condition, criterion, in_force

DAY = date(2024, 5, 2)
OWN = b'\n[targeting.offices]\n"010" = {red = 1, yellow = 2, blue = 1}\n#'
OFTEN = b"\nrandom_share = 0.5 #"  # with the secret below, chance draws some of the six and not the others
WRITTEN = policy.load().written.replace(b"\n[targeting.offices]", OWN).replace(b"\nrandom_share = 0.01", OFTEN)
POLICY = policy.parse(WRITTEN)
RULES = in_force(
    criterion("watched", condition("net_mass_kg", "at least", 100.0), places=1, begins_on=DAY, ends_on=DAY)
)


def asked(number, day=DAY, **changed):
    item = {**openapi.EXAMPLE["items"][0], "net_mass_kg": 100.0 + number}
    content = {
        **openapi.EXAMPLE,
        "declaration_id": f"W{number}",
        "transport_document_id": f"M{number}",
        "items": [item],
    }
    at = datetime.combine(day, datetime.min.time()) + timedelta(hours=9, minutes=number)
    rows = messages.read(json.dumps({**content, **changed}).encode(), "application/json", at).rows
    return Asked(rows, f"{number:064x}", "system", "en", at.replace(tzinfo=UTC))


@pytest.fixture
def log(tmp_path):
    """Return a log of six declarations of one day, of which one was amended then and one on the next day."""
    with closing(DecisionLog(f"sqlite:///{tmp_path / 'decisions.db'}")) as log:
        for day, asking in (
            (DAY, [*(asked(number) for number in range(6)), asked(2, importer_id="FR2")]),
            (DAY + timedelta(days=1), [asked(3, DAY + timedelta(days=1), importer_id="FR3")]),
        ):
            ground = Ground(
                day, POLICY, bytes(31) + b"\1", NOTHING_PAST, unscored="no model is in force", criteria=RULES
            )
            decider = Decider(log, Spool(tmp_path / "spool"), lambda ground=ground: ground, pytest.fail)
            decider.start()
            for each in asking:
                decider.ask([each], {each.message: Document("application/json", b"{}")}).result(timeout=30)
            decider.stop()
            log.commit_to(day, f"{day:%d}" * 32)
        yield log


@pytest.fixture
def workspace(tmp_path):
    return Workspace(Places(tmp_path / "data", tmp_path / "state", tmp_path / "signoff", "", ""), POLICY, "files")


def test_a_day_is_handed_over_once_when_it_is_over(log, tmp_path):
    folder = tmp_path / "decided"
    assert exports.hand_over(log, folder, DAY) == []
    names = [path.name for path in exports.hand_over(log, folder, DAY + timedelta(days=1))]
    assert names == ["selections-2024-05-02.parquet", "declarations-2024-05-02.parquet"]
    assert exports.hand_over(log, folder, DAY + timedelta(days=1)) == []
    assert len(exports.hand_over(log, folder, DAY + timedelta(days=2))) == 2


def test_declarations_are_stored_with_their_corrections_and_selections_are_in_the_log(log, workspace):
    exports.hand_over(log, workspace.places.decided_days("files"), DAY + timedelta(days=2))
    told = []
    report = workspace.take_in(told.append)
    assert (report.rows_in, report.quarantined, len(told)) == (8, 0, 2)
    stored = workspace.store.scan("declarations").collect().sort("declaration_id")
    assert stored["declaration_id"].to_list() == [f"W{number}" for number in range(6)]
    assert stored["importer_id"].to_list()[2:4] == ["FR2", "FR3"]
    assert stored["accepted_at"].dt.date().unique().to_list() == [DAY]
    assert stored["recorded_at"].to_list()[2:4] == [
        asked(2).rows["accepted_at"][0],
        asked(3, DAY + timedelta(days=1)).rows["accepted_at"][0],
    ]
    chosen = workspace.selections.read().sort("declaration_id")
    assert chosen["declaration_id"].to_list() == [f"W{number}" for number in range(6)]
    by_version = {each.declaration_id: each for each in log.of_day(DAY)}
    for row in chosen.iter_rows(named=True):
        (item,) = by_version[row["declaration_id"]].items
        assert (row["lane"], row["reason"]) == (item.lane, item.reason)
        assert row["selection_probability"] == item.probability
        assert (row["score"], row["draw_seed"]) == (None, "02" * 32)
        assert row["criterion"] == (item.criterion or None)
    assert by_version["W2"].version == 2
    assert set(chosen["reason"]) == {"random", "criterion", "none"}
    assert set(chosen["criterion"]) == {None, "watched"}
    assert 0 < chosen.filter(pl.col("lane") != "green").height < 6


def test_taken_in_again_nothing_changes_and_the_night_has_nothing_left_to_choose(log, workspace):
    exports.hand_over(log, workspace.places.decided_days("files"), DAY + timedelta(days=2))
    workspace.take_in(lambda batch: None)
    before = workspace.store.batches
    assert workspace.take_in(lambda batch: None).ingested == ()
    assert workspace.store.batches == before
    assert workspace.selections.next_number == 2
    every = workspace.store.scan("declarations").with_columns(accepted_on=pl.col("accepted_at").dt.date())
    assert selection_log.pending(every, workspace.selections.read(), DAY).is_empty()
    assert not selection_log.pending(every, workspace.selections.read()[1:], DAY).is_empty()
