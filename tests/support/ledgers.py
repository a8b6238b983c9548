"""What the ledger does on every database. A test module inherits `LedgerTests` and gives the `database_uri`."""

import multiprocessing
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.ledger.book import SERVICE, Book
from models.ledger.chain import Chain, Head, LedgerError
from models.ledger.keys import Keys
from models.ledger.lifecycle import State
from models.ledger.storage import Ledger, Table
from tests.support.signing import POLICY, chained, entry, on, opening, promotion, signing

WRITERS, EACH = 3, 8


def open_ledger(database_uri: str, keys: Keys) -> Ledger:
    return Ledger(Table(database_uri), keys.private_key, keys.head_file, POLICY)


def write(ledger: Ledger, *entries):
    with ledger.writing() as writer:
        for each in entries:
            writer.append(each)


def write_and_fail(ledger: Ledger, *entries):
    with ledger.writing() as writer:
        for each in entries:
            writer.append(each)
        raise ZeroDivisionError


def write_in_a_process(database_uri: str, folder: Path, number: int) -> None:
    """Write entries that rest on the book of their moment, so half of them wait for what others do."""
    ledger = open_ledger(database_uri, Keys(folder))
    for _ in range(EACH):
        with ledger.writing() as writer:
            version = max(ledger.book.cases, default=0) + 1
            writer.append(opening(version))
            writer.append(entry("account", "root", version, reason=f"by {number}"))


class OnDatabases:
    """The keys of a folder and a database, which whoever inherits names."""

    @pytest.fixture
    def database_uri(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def keys(self, tmp_path):
        keys = Keys(tmp_path / "signoff")
        keys.make()
        return keys


class LedgerTests(OnDatabases):
    @pytest.fixture
    def reopen(self, database_uri, keys):
        """Return a function that opens the ledger as another process, or the next one, has it."""
        return lambda: open_ledger(database_uri, keys)

    @pytest.fixture
    def ledger(self, reopen):
        return reopen()

    @pytest.fixture
    def table(self, ledger, database_uri):
        table = Table(database_uri)
        yield table
        table.close()

    @pytest.fixture
    def execute(self, ledger, database_uri):
        """Return a function that runs SQL past the server, as somebody with access to the database can."""
        engine = sa.create_engine(database_uri)

        def run(sql, **parameters):
            with engine.begin() as connection:
                connection.execute(sa.text(sql), parameters)

        yield run
        engine.dispose()

    def agrees(self, ledger, table, keys):
        """Assert that memory, table and head file say the same, and return the number of rows."""
        rows, chain, book = table.rows(), Chain(keys.public_key), Book(POLICY)
        for each in chain.extend(rows):
            book.apply(each)
        assert (ledger.book.cases, ledger.book.reigns) == (book.cases, book.reigns)
        assert Head.model_validate_json(keys.head_file.read_bytes()) == chain.head
        return len(rows)

    def test_what_is_written_is_in_book_table_and_head_and_there_after_a_restart(self, ledger, table, keys, reopen):
        assert self.agrees(ledger, table, keys) == 0
        write(ledger, *promotion())
        assert ledger.book.champion == 1
        assert self.agrees(ledger, table, keys) == 5
        assert [row.number for row in table.rows(after=2, limit=2)] == [3, 4]
        again = reopen()
        assert again.book.champion == 1
        write(again, *promotion(2))
        assert self.agrees(again, table, keys) == 10
        assert stat.S_IMODE(keys.head_file.stat().st_mode) == 0o644

    def test_the_book_shows_what_was_added_before_the_block_ends(self, ledger):
        with ledger.writing() as writer:
            for each in (opening(), *signing()):
                writer.append(each)
            assert ledger.book.state(1, on(0)) is State.APPROVED

    def test_refused_attempts_are_kept_and_count_for_nothing(self, ledger, table, keys):
        write(ledger, opening(), entry("approve", "root", step="technical", refusal="administers"))
        assert ledger.book.cases[1].approvals == []
        assert self.agrees(ledger, table, keys) == 2

    def test_text_of_any_kind_comes_back_as_it_was(self, ledger, table, reopen):
        reason = "Prüfung 検査 \N{GRINNING FACE} \0 \u2028 ' \" \\ %s :x"
        write(ledger, entry("write", "ann", reason=reason))
        assert [each.reason for each in Chain(ledger._key.public_key()).extend(table.rows())] == [reason]
        reopen()

    def test_where_the_block_fails_nothing_is_added(self, ledger, table, keys):
        write(ledger, opening())
        for written in ([], [signing()[0]], signing()):
            with pytest.raises(ZeroDivisionError):
                write_and_fail(ledger, *written)
            assert ledger.book.cases[1].approvals == []
            assert self.agrees(ledger, table, keys) == 1
        write(ledger, *signing())
        assert self.agrees(ledger, table, keys) == 4

    def test_an_entry_against_the_rules_takes_back_the_whole_block(self, ledger, table, keys):
        with pytest.raises(LedgerError, match=r"promote of version 1 by tidewaiter .*: version 1 is awaiting"):
            write(ledger, opening(), entry("promote", SERVICE))
        assert self.agrees(ledger, table, keys) == 0
        write(ledger, *promotion())
        assert self.agrees(ledger, table, keys) == 5

    def test_an_entry_against_the_rules_that_is_overlooked_is_not_kept(self, ledger, table, keys):
        with ledger.writing() as writer:
            writer.append(opening())
            with pytest.raises(LedgerError):
                writer.append(entry("promote", SERVICE))
        assert self.agrees(ledger, table, keys) == 1

    @pytest.mark.parametrize("moment", ["insert", "commit"])
    def test_where_the_database_fails_memory_agrees_with_it(self, ledger, table, keys, moment):
        write(ledger, opening())
        engine, failing = ledger._table._engine, [True]

        def fail(*arguments):
            sql = arguments[2] if moment == "insert" else "INSERT"
            if failing[0] and sql.startswith("INSERT"):
                raise OSError("disk full")

        event = "before_cursor_execute" if moment == "insert" else "commit"
        sa.event.listen(engine, event, fail)
        with pytest.raises(OSError, match="disk full"):
            write(ledger, *signing())
        failing[0] = False
        assert ledger.book.cases[1].approvals == []
        assert self.agrees(ledger, table, keys) == 1
        write(ledger, *signing())
        assert self.agrees(ledger, table, keys) == 4

    def test_a_crash_before_the_head_was_noted_loses_nothing(self, ledger, table, keys, reopen, monkeypatch):
        write(ledger, opening())
        noted = keys.head_file.read_bytes()
        monkeypatch.setattr(ledger, "_note", lambda head: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write(ledger, *signing())
        assert keys.head_file.read_bytes() == noted
        assert self.agrees(reopen(), table, keys) == 4

    def test_two_that_write_in_turn_see_each_other(self, ledger, table, keys, reopen):
        other = reopen()
        write(ledger, opening())
        assert 1 in other.refresh().cases
        write(other, signing()[0])
        write(ledger, *signing()[1:])
        assert other.refresh().state(1, on(0)) is State.APPROVED
        write(other, entry("promote", SERVICE))
        with pytest.raises(LedgerError, match="version 1 is champion, not approved"):
            write(ledger, entry("promote", SERVICE))
        assert ledger.book.champion == 1
        for each in (ledger, other):
            each.refresh()
            assert self.agrees(each, table, keys) == 5

    def test_a_head_noted_late_does_not_replace_a_later_one(self, ledger, table, keys, reopen):
        write(ledger, opening())
        early = ledger._held().chain.head
        write(reopen(), *signing())
        ledger._note(early)
        ledger.refresh()
        assert self.agrees(ledger, table, keys) == 4

    def test_processes_that_write_at_once_lose_nothing_and_do_not_fork(self, ledger, table, keys, database_uri):
        spawn = multiprocessing.get_context("spawn")
        processes = [
            spawn.Process(target=write_in_a_process, args=(database_uri, keys.folder, number))
            for number in range(WRITERS)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * WRITERS
        ledger.refresh()
        assert self.agrees(ledger, table, keys) == 2 * WRITERS * EACH
        assert sorted(ledger.book.cases) == list(range(1, WRITERS * EACH + 1))

    def test_threads_that_share_a_ledger_lose_nothing(self, ledger, table, keys):
        threads = [
            threading.Thread(target=lambda: [write(ledger, entry("account", "root")) for _ in range(EACH)])
            for _ in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.agrees(ledger, table, keys) == WRITERS * EACH

    @pytest.mark.parametrize(
        ("sql", "sentence"),
        [
            ("UPDATE tidewaiter_ledger SET entry = replace(entry, 'bob', 'zoe') WHERE number = 3", "row 3 does not"),
            ("UPDATE tidewaiter_ledger SET hash = upper(hash) WHERE number = 2", "row 2 does not follow"),
            ("UPDATE tidewaiter_ledger SET signature = upper(signature) WHERE number = 5", "row 5 is not signed"),
            ("UPDATE tidewaiter_ledger SET number = 0 WHERE number = 1", "row 1 is missing: after 0 comes 0"),
            ("UPDATE tidewaiter_ledger SET number = 7 WHERE number = 5", "row 5 is missing: after 4 comes 7"),
            ("INSERT INTO tidewaiter_ledger VALUES (-3, '{}', '', '')", "row 1 is missing: after 0 comes -3"),
            ("INSERT INTO tidewaiter_ledger VALUES (6, '{}', '', '')", "row 6 does not follow"),
            ("DELETE FROM tidewaiter_ledger WHERE number = 3", "row 3 is missing: after 2 comes 4"),
            ("DELETE FROM tidewaiter_ledger WHERE number > 3", "row 5 is missing: it was there when the head was"),
            ("DELETE FROM tidewaiter_ledger", "row 5 is missing: it was there when the head was taken"),
            ("DROP TABLE tidewaiter_ledger", "row 5 is missing: it was there when the head was taken"),
        ],
    )
    def test_what_was_done_to_the_table_is_found_at_the_start(self, ledger, reopen, execute, sql, sentence):
        write(ledger, *promotion())
        execute(sql)
        with pytest.raises(LedgerError, match=sentence):
            reopen()

    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM tidewaiter_ledger WHERE number = 5",
            "DELETE FROM tidewaiter_ledger",
            "UPDATE tidewaiter_ledger SET hash = upper(hash) WHERE number = 5",
            "INSERT INTO tidewaiter_ledger VALUES (6, '{}', '', '')",
        ],
    )
    def test_a_running_server_stops_where_the_end_was_changed(self, ledger, execute, sql):
        write(ledger, *promotion())
        execute(sql)
        for _ in range(2):  # the second time with nothing in memory
            with pytest.raises(LedgerError, match=r"row [56] "):
                ledger.refresh()
            with pytest.raises(LedgerError, match=r"row [56] "):
                write(ledger, opening(2))

    def test_rows_of_another_key_are_refused(self, ledger, reopen, execute, tmp_path):
        write(ledger, *promotion())
        other = Keys(tmp_path / "other")
        other.make()
        row = chained([opening(number) for number in range(1, 7)], other.private_key)[-1]
        chain = Chain(ledger._key.public_key())
        chain.extend(ledger._table.rows())
        forged = chain.follow(opening(2), other.private_key)
        for each in (row, forged):
            execute("DELETE FROM tidewaiter_ledger WHERE number = 6")
            execute(
                "INSERT INTO tidewaiter_ledger VALUES (:number, :entry, :hash, :signature)",
                **each.model_dump(),
            )
            with pytest.raises(LedgerError, match="row 6 "):
                reopen()

    @pytest.mark.parametrize("content", [None, b"", b"{}", b'{"number": "all"}'])
    def test_without_its_head_file_the_ledger_is_not_trusted(self, ledger, keys, reopen, content):
        write(ledger, opening())
        keys.head_file.unlink()
        if content is not None:
            keys.head_file.write_bytes(content)
        with pytest.raises(LedgerError, match=r"head\.json does not say how far the ledger had come"):
            reopen()
