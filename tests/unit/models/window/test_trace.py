"""`tidewaiter trace` over an installation whose champion has decided: it tells what was told, and checks each link."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from features.presentation import spreadsheet
from features.store import versioning
from flows.commands import cli
from flows.servers import embedded
from models.decisions import DecisionLog
from models.retention import TOMBSTONES, Tombstones
from models.trace import Night, again
from tests.support import traced
from tests.support.signing import START, promotion
from tests.support.traced import Traced

OF_MODEL = ["ledger", "promotion", "evidence", "model", "files", "data", "code"]


@pytest.fixture(scope="module")
def made(world, tmp_path_factory) -> Traced:
    return traced.traced(world, tmp_path_factory.mktemp("traced"))


@pytest.fixture
def tell(made, monkeypatch):
    """Run `tidewaiter trace` there, and return its exit code and what it said."""
    traced.at_home(monkeypatch, made)
    monkeypatch.setattr(embedded, "use", lambda settings: settings)

    def run(*arguments):
        result = CliRunner().invoke(cli.app, ("trace", *arguments), catch_exceptions=False)
        return result.exit_code, result.stdout + result.stderr

    return run


def states(traced):
    return {link["name"]: link["state"] for link in traced["links"]}


def test_a_decision_of_the_window_is_told_as_it_was_given_and_every_link_holds(made, tell):
    first, *_, amended = made.decided
    code, said = tell(first.declaration_id, "--json")
    assert code == 0, said
    document = json.loads(said)
    assert document["state"] == "held"
    assert [each["id"] for each in document["decisions"]] == [first.decision_id, amended.decision_id]
    for told, decision in zip(document["decisions"], (first, amended), strict=True):
        assert list(states(told)) == ["chain", "seal", *OF_MODEL, "replay", "features"]
        assert set(states(told).values()) == {"held"}
        assert (told["lane"], told["morning"], told["language"]) == (decision.lane, decision.morning, decision.language)
        assert (told["model"]["version"], told["model"]["digest"]) == ("1", decision.model_digest)
        assert [each["user"] for each in told["model"]["signers"]] == ["ann", "bob", "cid"]
        for item, given, values, declared in zip(
            told["items"], decision.items, decision.features, decision.declared, strict=True
        ):
            assert (item["probability"], item["reason"], item["score"]) == (
                given.probability,
                given.reason,
                given.score,
            )
            assert [each["sentence"] for each in item["reasons"]] == [each.sentence for each in given.reasons]
            assert list(item["known"].values()) == [value for value in values if value is not None]
            assert item["declared"]["item_value"] == declared["item_value"]
    assert document["decisions"][1]["items"][0]["declared"]["item_value"] == 9e5
    (case,) = document["cases"]
    assert [(each["officer"], each["finding"]["kind"]) for each in case["findings"]] == [("ana", "origin")]
    assert ("ana", "took") in {(each["actor"], each["action"]) for each in case["events"]}


def test_what_the_night_selected_is_told_as_its_list_gave_it_and_every_link_holds(made, tell):
    code, said = tell(made.selected[0], "--json")
    assert code == 0, said
    (told,) = json.loads(said)["decisions"]
    assert list(states(told)) == ["work list", *OF_MODEL, "selection", "score", "reasons"]
    assert (told["by"], told["id"], told["language"], told["model"]["version"]) == ("night", "1", "fr", "1")
    (listed,) = Night.of(made.settings.places, "simulator").work_lists.glob("*.csv")
    rows = spreadsheet.read(listed)
    own = rows.filter(rows["déclaration"] == made.selected[0])
    given = {item["item_number"]: [each["sentence"] for each in item["reasons"]] for item in told["items"]}
    for row in own.to_dicts():
        assert given[int(row["article"])] == [row[f"raison {n}"] for n in (1, 2, 3) if row[f"raison {n}"]]
    assert {item["item_number"] for item in told["items"] if item["lane"] != "green"} == set(map(int, own["article"]))


def test_three_later_champions_change_no_byte(made, tell):
    asked = [(made.decided[0].declaration_id,), (made.selected[0], "--json")]
    before = [tell(*each) for each in asked]
    day = (datetime.now(UTC) - START).days + 1  # the night has selected by the clock
    for version in (2, 3, 4):
        opening, *rest = promotion(version, day + version)
        made.write(opening.model_copy(update={"seal": "9" * 64}), *rest)
    with closing(DecisionLog(made.settings.decisions_uri)) as log:
        made.seal(log, day + 10)
    versioning.snapshot(made.settings.data_folder, made.settings.state_folder)
    assert [tell(*each) for each in asked] == before


@pytest.mark.parametrize(
    ("change", "state", "told"),
    [("'" + "ab" * 32 + "'", 1, "it comes out otherwise: items"), ("NULL", 5, "is not published yet")],
)
def test_another_secret_breaks_the_replay_and_none_leaves_it_unchecked(made, tell, change, state, told):
    database = made.settings.window_folder / "decisions.db"
    with closing(sqlite3.connect(database)) as connection:
        (kept,) = connection.execute("SELECT secret FROM days").fetchone()
        try:
            connection.execute(f"UPDATE days SET secret = {change}")
            connection.commit()
            code, said = tell(made.decided[1].declaration_id)
        finally:
            connection.execute("UPDATE days SET secret = ?", (kept,))
            connection.commit()
    assert code == state
    assert told in said
    assert ("BROKEN      replay" in said) is (state == 1)


def test_a_selection_or_a_list_that_was_altered_breaks_the_link_that_it_is_about(made):
    places, night = made.settings.places, Night.of(made.settings.places, "simulator")
    ((number, rows),) = night.selections.of([made.selected[0]])
    rows = rows.sort("item_number")

    def told(rows, given, language="fr"):
        links = again.of_selection(places, "simulator", number, rows, language, given)
        return {link.name: (link.state, link.why) for link in links}

    item = rows.filter(rows["lane"] != "green")["item_number"][0]
    found = told(rows, {item: ("another reason",)})
    assert (found["selection"], found["score"]) == (("held", ""), ("held", ""))
    assert found["reasons"][0] == "broken"
    assert found["reasons"][1].startswith(f"of item {item} the model says: ")
    found = told(rows.with_columns(score=rows["score"] / 2), {}, language="")
    assert found["score"] == ("not checked", "what is known today of the days before is not what was known then")
    assert found["reasons"] == ("not checked", "there is no work list")
    file = night.selections.file(number)
    kept = file.read_bytes()
    file.write_bytes(kept + b" ")
    try:
        assert told(rows, {})["selection"] == ("broken", "it is not what DVC keeps under its name")
    finally:
        file.write_bytes(kept)


@pytest.fixture
def tombstones(made):
    tombstones = Tombstones(made.settings.state_folder / TOMBSTONES)
    yield tombstones
    tombstones.file.unlink(missing_ok=True)


def test_what_a_rule_has_purged_is_told_with_rule_and_day_and_an_exit_code_of_its_own(made, tell, tombstones, log_of):
    decision = made.decided[1]
    message = log_of.document(decision.message)
    with closing(sqlite3.connect(made.settings.window_folder / "decisions.db")) as connection:
        kept = connection.execute("SELECT * FROM documents WHERE digest = ?", (decision.message,)).fetchall()
    assert message
    assert len(kept) == 1
    tombstones.add("messages", {decision.message: decision.day}, 400, date(2026, 1, 2))
    assert tell(decision.declaration_id)[0] == 0  # it is still there, or was sent again
    log_of.purge([decision.message], 0)  # as decisions after the plan name it
    assert log_of.document(decision.message) == message
    log_of.purge([decision.message], log_of.head().number)
    try:
        code, said = tell(decision.declaration_id)
        assert code == 6, said
        told = f"the message of {decision.decision_id} was purged by rule messages (400 days) on 2026-01-02"
        assert said.count(told) == 2
        assert "purged      replay" in said
        assert "No link is broken; 2 of 11 are about what a rule has purged, and the others hold." in said
        assert "held        chain" in said
        assert "held        seal" in said
        result = CliRunner().invoke(cli.app, ("window", "replay", decision.decision_id))
        assert (result.exit_code, told in result.stderr) == (6, True)
        tombstones.file.unlink()
        for day in (None, date(2000, 1, 1)):
            if day:  # a line that claims that it was purged before the decision
                tombstones.add("messages", {decision.message: day}, 400, date(2026, 1, 2))
            code, said = tell(decision.declaration_id)
            assert (code, "not checked replay" in said) == (5, True)  # lost, and not purged
    finally:
        with closing(sqlite3.connect(made.settings.window_folder / "decisions.db")) as connection:
            connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", kept)
            connection.commit()


@pytest.fixture
def log_of(made):
    with closing(DecisionLog(made.settings.decisions_uri)) as log:
        yield log


def test_data_that_a_rule_has_purged_are_not_lost(made, tell, tombstones, monkeypatch):
    monkeypatch.setattr(versioning, "exists", lambda *given: False)
    code, said = tell(made.decided[1].declaration_id)
    assert (code, "BROKEN      data" in said) == (1, True)
    evidence = json.loads(tell(made.decided[1].declaration_id, "--json")[1])["decisions"][0]["model"]["data_version"]
    tombstones.add("versions", {evidence: date(2025, 6, 1)}, 30, date(2026, 1, 2))
    code, said = tell(made.decided[1].declaration_id)
    assert (code, "purged by rule versions (30 days) on 2026-01-02" in said) == (6, True)
    with tombstones.file.open("a") as lines:
        lines.write("{}\n")
    code, said = tell(made.decided[1].declaration_id)
    assert code == 1
