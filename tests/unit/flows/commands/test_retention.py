"""`tidewaiter purge`: it shows what the rules no longer keep, and with --yes deletes it and leaves tombstones."""

import hashlib
from contextlib import closing
from datetime import date, timedelta

import msgspec
import pytest
from typer.testing import CliRunner

from features.store import versioning
from flows.commands import cli, retention
from flows.servers import embedded
from flows.settings import Settings
from models.decisions import Document
from models.decisions.record import linked
from models.desk import Refused
from models.policy import Desk as Rules
from models.retention import TOMBSTONES, Tombstones
from tests.support import candidates, desks
from tests.unit.models.desk.test_photos import picture

TODAY = date.today()
OLD, YOUNG = TODAY - timedelta(days=100), TODAY - timedelta(days=10)


def digest(text):
    return hashlib.sha256(text).hexdigest()


@pytest.fixture
def settings(tmp_path, monkeypatch):
    settings = Settings(state_folder=tmp_path / "state", data_folder=tmp_path / "data")
    settings.window_folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEWAITER_STATE_FOLDER", str(settings.state_folder))
    monkeypatch.setenv("TIDEWAITER_DATA_FOLDER", str(settings.data_folder))
    monkeypatch.setattr(embedded, "use", lambda settings: settings)
    return settings


def run(*arguments):
    result = CliRunner().invoke(cli.app, ("purge", *arguments), catch_exceptions=False)
    return result.exit_code, result.stdout + result.stderr


def test_without_a_rule_nothing_is_ever_purged(settings):
    code, said = run("--yes")
    assert code == 0
    assert "has no rule, so nothing is ever purged" in said.replace("\n", "")


def test_where_there_was_never_a_window_none_is_made(settings):
    (settings.state_folder / "retention.toml").write_text("[days]\nmessages = 90\nphotos = 90\n")
    assert run("--yes")[0] == 0
    assert not list(settings.window_folder.iterdir())


def test_a_rule_that_is_not_allowed_is_refused(settings):
    (settings.state_folder / "retention.toml").write_text("[days]\nledger = 90\n")
    code, said = run()
    assert (code, "ledger is no table with a rule; allowed: messages, photos, versions" in said) == (1, True)


def test_what_is_old_is_shown_then_purged_and_what_is_needed_or_young_stays(settings):
    texts = [b"old", b"old and named again", b"young"]
    named = [(texts[0], OLD), (texts[1], OLD), (texts[1], YOUNG), (texts[2], YOUNG)]
    made = [
        msgspec.structs.replace(desks.placed(number), message=digest(text), day=day)
        for number, (text, day) in enumerate(named, 1)
    ]
    documents = {digest(text): Document("application/json", text) for text in (*texts, b"a plan")}
    with closing(desks.world(settings.desk_folder, Rules(), settings.decisions_uri).log) as log:
        log.append(list(linked(made, 0, "0" * 64)), documents)
        before = log.verify()
        (settings.data_folder / "simulator").mkdir(parents=True)
        (settings.data_folder / "simulator" / "a").write_text("1")
        first = versioning.snapshot(settings.data_folder, settings.state_folder)
        (settings.data_folder / "simulator" / "a").write_text("2")
        second = versioning.snapshot(settings.data_folder, settings.state_folder)
        candidates.open_registry(settings.state_folder)
        (settings.state_folder / "retention.toml").write_text("[days]\nmessages = 60\nversions = 30\n")
        code, said = run()
        assert code == 0
        assert "messages │ 60" in said
        assert "`tidewaiter purge --yes` deletes" in said
        assert all(log.document(digest(text)) for text in texts)
        assert not (settings.state_folder / TOMBSTONES).exists()
        code, said = run("--yes")
        assert code == 0, said
        assert [log.document(digest(text)) is None for text in (*texts, b"a plan")] == [True, False, False, False]
        assert log.verify() == before
        tombstones = Tombstones(settings.state_folder / TOMBSTONES)
        assert [(each.table, each.name, each.counted_from) for each in tombstones.read()] == [
            ("messages", digest(b"old"), OLD)
        ]
        assert versioning.kept(settings.data_folder, settings.state_folder) == sorted([first, second])  # young
        assert run("--yes")[0] == 0
        assert len(tombstones.read()) == 1


def test_versions_that_no_model_needs_and_old_photos_go(settings, monkeypatch):
    world = desks.world(settings.desk_folder, Rules(), settings.decisions_uri)  # its clock is long ago
    (number,) = world.declare("red")
    world.desk.queue.take(desks.ANA, number)
    sent = world.desk.photos.keep(desks.ANA, number, picture())
    for text in "123":
        (settings.data_folder / "simulator").mkdir(parents=True, exist_ok=True)
        (settings.data_folder / "simulator" / "a").write_text(text)
        versioning.snapshot(settings.data_folder, settings.state_folder)
    spare = sorted(versioning.spare(settings.data_folder, settings.state_folder))
    monkeypatch.setattr(versioning, "spare", lambda *given: dict.fromkeys(spare, OLD))
    registry = candidates.open_registry(settings.state_folder)
    monkeypatch.setattr(type(registry), "by_data_version", lambda self: {spare[0]: ["1"]})
    (settings.state_folder / "retention.toml").write_text("[days]\nphotos = 30\nversions = 30\n")
    assert list(retention._versions(settings, TODAY)) == spare[1:]  # nothing was ever signed, so version 1 may yet be
    assert run("--yes")[0] == 0
    found = {(each.table, each.name) for each in Tombstones(settings.state_folder / TOMBSTONES).read()}
    assert ("versions", spare[1]) in found
    assert len([each for each in found if each[0] == "photos"]) == 1
    assert not versioning.exists(settings.data_folder, spare[1], settings.state_folder)
    assert versioning.exists(settings.data_folder, spare[0], settings.state_folder)
    with pytest.raises(Refused, match="purged by rule photos"):
        world.desk.photos.read(desks.ANA, number, sent)
