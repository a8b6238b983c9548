import hashlib
import sqlite3
import zlib
from contextlib import closing

import msgspec
import pytest
import sqlalchemy as sa

from models.decisions import DecisionLog, Unavailable, record
from models.decisions.log import BrokenChain, Document, Head
from models.decisions.record import Link, linked
from models.decisions.spool import Spool
from models.decisions.tables import META
from tests.support.decided import DAY, decision

XML = Document("application/xml", b"<Declaration/>" * 50)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "decisions.db"


@pytest.fixture
def log(file):
    log = DecisionLog(f"sqlite:///{file}", wait_s=0.1)
    log.migrate()
    yield log
    log.close()


def links(*decisions, after=Head()):  # noqa: B008  it cannot be changed
    return list(linked(decisions, after.number, after.hash))


def test_what_was_added_is_found_again_to_the_last_bit(log):
    one, two = decision(1), decision(2)
    log.append(links(one, two), {one.message: XML})
    assert log.decision(two.decision_id) == two
    assert list(log.of_day(DAY)) == [one, two]
    assert log.document(one.message) == XML
    assert log.document(two.message) is log.decision("other") is None
    assert log.head().number == 2
    assert log.verify() == log.head()


def test_what_was_written_before_there_were_criteria_is_read(log):
    """The text of such a decision has no word of them, and its hash is over that text."""
    known = msgspec.json.decode(msgspec.json.encode(decision(1)))
    assert known.pop("criteria") == ""
    assert [item.pop("criterion") for item in known["items"]] == ["", ""]
    text = msgspec.json.encode(known)
    log.append([Link(1, zlib.compress(text), record.hash_of(1, record.FIRST_HASH, text))], {})
    assert log.decision(decision(1).decision_id) == decision(1)
    assert log.verify() == log.head()


def test_the_versions_of_a_declaration_come_in_their_order(log):
    first, other, second = (
        decision(1, declaration_id="D", version=1),
        decision(2),
        decision(3, declaration_id="D", version=2),
    )
    log.append(links(first, other, second), {})
    assert log.versions("D") == [first, second]
    assert log.versions("nobody's") == []
    assert log.numbered("D") == [(1, first), (3, second)]


def test_a_message_of_two_commits_is_kept_once(log):
    one, two = decision(1), decision(2)
    log.append(links(one), {one.message: XML})
    log.append(links(two, after=log.head()), {one.message: XML})
    assert log.document(one.message) == XML


def test_what_is_there_is_not_added_again_but_another_decision_in_its_place_is_refused(log):
    one, two, other = decision(1), decision(2), decision(9)
    log.append(links(one), {})
    log.append(links(one, two), {})
    assert log.head().number == 2
    with pytest.raises(BrokenChain, match="decision 1 or one after it is there already"):
        log.append(links(other), {})
    assert list(log.of_day(DAY)) == [one, two]


def test_a_declaration_has_each_version_once(log):
    log.append(links(decision(1, declaration_id="D")), {})
    with pytest.raises(sa.exc.IntegrityError):
        log.append(links(decision(2, declaration_id="D"), after=log.head()), {})
    assert log.head().number == 1


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE decisions SET text = (SELECT text FROM decisions WHERE number = 1) WHERE number = 2",
            "decision 2 does not",
        ),
        ("UPDATE decisions SET text = x'00' WHERE number = 2", "decision 2 cannot be read"),
        ("DELETE FROM decisions WHERE number = 2", "decision 2 is missing: after 1 comes 3"),
        (
            "UPDATE decisions SET office = '999' WHERE number = 2",
            "decision 2 is filed as something that it does not say",
        ),
        ("UPDATE decisions SET hash = 'f' || substr(hash, 2) WHERE number = 3", "decision 3 does not follow"),
    ],
)
def test_a_log_that_was_altered_does_not_verify(log, file, statement, fault):
    log.append(links(*map(decision, range(1, 5))), {})
    with closing(sqlite3.connect(file)) as other, other:
        other.execute(statement)
    with pytest.raises(BrokenChain, match=fault):
        log.verify()


def test_the_end_verifies_from_a_head_that_was_noted(log):
    log.append(links(decision(1), decision(2)), {})
    noted = log.head()
    log.append(links(decision(3), after=noted), {})
    assert log.verify(noted).number == 3
    with pytest.raises(BrokenChain, match="decision 3 does not follow"):
        log.verify(Head(2, "0" * 64))
    assert log.verify(until=2) == noted
    with pytest.raises(BrokenChain, match="decision 4 is missing, and 2 were to come"):
        log.verify(until=5)


def test_the_first_decision_about_the_same_goods_is_found_by_its_key(log):
    first, second = decision(1), decision(2)
    log.append(links(first, second), {})
    assert log.first_of_key(second.key) == second
    assert log.first_of_key("0" * 64) is None
    assert log.known() == ({"D1", "D2"}, {first.key, second.key})
    assert log.last_of_offices() == [second]


def test_a_database_that_is_locked_is_unavailable_and_takes_nothing(log, file):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="locked"):
            log.append(links(decision(1)), {})
        other.execute("ROLLBACK")
    assert log.head() == Head()


def test_migrating_makes_the_tables_that_the_code_reads_and_can_be_done_again(log, file):
    log.migrate()
    engine = sa.create_engine(f"sqlite:///{file}")
    made, wanted = sa.inspect(engine), META.tables
    for name, table in wanted.items():
        assert {column["name"]: str(column["type"]) for column in made.get_columns(name)} == {
            column.name: str(column.type.compile(engine.dialect)) for column in table.columns
        }
        assert {index["name"] for index in made.get_indexes(name)} == {index.name for index in table.indexes}
    assert set(made.get_table_names()) == {*wanted, "alembic_version"}
    engine.dispose()


def test_a_days_secret_is_committed_to_once_and_published_later(log):
    log.commit_to(DAY, "1" * 64)
    log.commit_to(DAY, "1" * 64)
    assert log.days() == [(DAY, "1" * 64, None)]
    with pytest.raises(ValueError, match="the secret of 2024-05-02 is another one"):
        log.commit_to(DAY, "2" * 64)
    log.publish(DAY, "ab" * 32)
    assert log.days() == [(DAY, "1" * 64, "ab" * 32)]


def waiting(spool):
    """Return what waits in a spool."""
    return [Link(line.number, line.text, line.hash) for line in spool._lines()]


class TestSpool:
    @pytest.fixture
    def spool(self, tmp_path):
        return Spool(tmp_path / "spool.jsonl")

    def test_what_waits_goes_into_the_log_in_order_with_its_documents(self, spool, log):
        one, two, three = map(decision, (1, 2, 3))
        made = links(one, two, three)
        assert spool.is_empty
        spool.append(made[:2], {one.message: XML})
        spool.append(made[2:], {})
        assert not spool.is_empty
        assert waiting(spool) == made
        assert spool.empty_into(log) == 3
        assert list(log.of_day(DAY)) == [one, two, three]
        assert log.document(one.message) == XML
        assert waiting(spool) == []
        assert spool.empty_into(log) == 0

    def test_it_stays_while_the_database_is_away_and_can_be_emptied_twice(self, spool, log, file):
        made = links(decision(1), decision(2))
        spool.append(made, {})
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(Unavailable):
                spool.empty_into(log)
            other.execute("ROLLBACK")
        assert waiting(spool) == made
        log.append(made, {})  # the process ended after the commit, before the file was gone
        spool.empty_into(log)
        assert log.verify().number == 2

    def test_a_line_without_its_end_was_never_answered_and_the_first_has_the_documents(self, spool, log):
        one, two = decision(1), decision(2)
        made = links(one, two)
        spool.append(made, {one.message: XML})
        spool.file.write_bytes(spool.file.read_bytes()[:-3])
        assert waiting(spool) == made[:1]
        assert spool.empty_into(log) == 1
        assert log.document(one.message) == XML

    def test_a_write_that_fails_leaves_what_was_there(self, spool, monkeypatch):
        made, flushed = links(decision(1), decision(2)), []

        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("models.decisions.spool.atomic.flush", flushed.extend)
        for place in range(2):
            with monkeypatch.context() as broke:
                broke.setattr("models.decisions.spool.os.fsync", full)
                with pytest.raises(OSError, match="No space left"):
                    spool.append(made[place:], {})
            assert waiting(spool) == made[:place]
            spool.append(made[place : place + 1], {})
            assert flushed == [spool.file.parent]  # once, when the file has got its first line
        assert waiting(spool) == made


def test_a_digest_does_not_depend_on_how_the_numbers_were_written():
    assert record.digest([1.50, "é"]) == record.digest([1.5, "é"]) != record.digest([1.25, "é"])


def test_a_links_hash_is_over_its_number_the_hash_before_it_and_its_text():
    first, second = links(decision(1), decision(2))
    text = zlib.decompress(first.text)
    assert first.hash == hashlib.sha256(b"1\n" + b"0" * 64 + b"\n" + text).hexdigest()
    text = zlib.decompress(second.text)
    assert second.hash == hashlib.sha256(b"2\n" + first.hash.encode() + b"\n" + text).hexdigest()
    assert len(second.text) < len(text)


def test_a_decision_cannot_be_changed_and_says_nothing_that_this_release_does_not_read():
    made = msgspec.structs.replace(decision(1), shadows=(record.Shadow("4", "0" * 64, (0.5, 0.5)),))
    (link,) = links(made)
    assert link.decision == made
    for part in (link, made, made.items[0], made.shadows[0]):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(part, part.__struct_fields__[0], None)
    told = msgspec.json.decode(msgspec.json.encode(made))
    for part in (told, told["items"][0], told["shadows"][0]):
        part["of_tomorrow"] = 1
        with pytest.raises(msgspec.ValidationError, match="of_tomorrow"):
            _ = Link(1, zlib.compress(msgspec.json.encode(told)), link.hash).decision
        del part["of_tomorrow"]
