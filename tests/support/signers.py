"""What signer and server do on every database. A test module inherits `SignerTests` and gives the `database_uri`."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.evidence import manifest, source_code
from models.ledger import attestation
from models.ledger import storage as ledgers
from models.ledger.book import SERVICE
from models.ledger.chain import BACKWARDS, Chain, Head, LedgerError
from models.ledger.keys import Keys
from models.ledger.lifecycle import State
from models.ledger.storage import Ledger, NotSigned, Table, now
from models.policy import Signoff, SignoffStep, load
from models.signer import asking, signer, wire
from models.signer.asking import AskedLedger
from models.signer.signer import CLOCK_MAY_BE_BEHIND, Signer
from tests.support.ledgers import OnDatabases, write, write_and_fail
from tests.support.signing import POLICY, entry, opening, signing

WRITERS, EACH = 3, 5
NOBODY = 65534


@contextmanager
def serving(keys: Keys, database_uri: str):
    """Run a signer in a thread of this process."""
    table = Table(database_uri)
    ledger = Ledger(table, keys.private_key, keys.head_file, POLICY)
    keys.socket_file.unlink(missing_ok=True)
    with wire.place(keys.socket_file) as address, Signer(ledger, table, POLICY, address) as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield started
        started.shutdown()
        thread.join()
    table.close()


def begun(line: wire.Line):
    line.send({"do": "begin"})
    return line.receive()


class SignerTests(OnDatabases):
    @pytest.fixture
    def served(self, keys, database_uri):
        with serving(keys, database_uri) as started:
            yield started

    @pytest.fixture
    def table(self, database_uri):
        table = Table(database_uri)
        yield table
        table.close()

    @pytest.fixture
    def ledger(self, table, keys, served):
        """Return the ledger as the MLflow server has it."""
        return AskedLedger(table, keys.public_key, keys.head_file, POLICY, keys.socket_file)

    def rows(self, table, keys):
        return Chain(keys.public_key).extend(table.rows())

    def test_what_the_signer_wrote_is_in_table_head_and_every_copy(self, ledger, table, keys):
        other = AskedLedger(table, keys.public_key, keys.head_file, POLICY, keys.socket_file)
        write(ledger, opening(), *signing())
        write(other, entry("promote", SERVICE))
        assert ledger.refresh().champion == other.book.champion == 1
        assert len(self.rows(table, keys)) == 5
        assert Head.model_validate_json(keys.head_file.read_bytes()) == other.head
        assert stat.S_IMODE(keys.head_file.stat().st_mode) == 0o644

    def test_the_server_has_no_private_key(self, ledger):
        assert not hasattr(ledger, "_key")
        assert not any("Private" in type(each).__name__ for each in vars(ledger).values())

    def test_time_and_policy_are_the_signers(self, ledger, table, keys):
        before = now()
        lenient = Signoff(valid_days=999, steps=(SignoffStep(name="any", role="data-scientist", signatures=1),))
        write(ledger, opening(policy=lenient, day=-9000))
        (opened,) = self.rows(table, keys)
        assert before <= opened.at <= now()
        assert (opened.steps, opened.valid_days) == (POLICY.steps, POLICY.valid_days)
        assert ledger.book.cases[1].steps == POLICY.steps

    def test_the_signer_judges_by_the_rules_whatever_is_asked(self, ledger, table, keys):
        write(ledger, opening())
        with pytest.raises(LedgerError, match="version 1 is awaiting technical, not approved"):
            write(ledger, entry("promote", SERVICE))
        with ledger.writing() as writer:
            assert "eve made version 1" in writer.attempt(entry("approve", "eve", step="technical"))
            assert writer.attempt(entry("approve", "ann", step="technical")) is None
            assert writer.attempt(entry("write", "eve", refusal="no")) == "no"
        assert [each.is_accepted for each in self.rows(table, keys)] == [True, False, True, False]
        assert len(ledger.book.cases[1].approvals) == 1

    def test_a_promotion_that_another_section_has_not_written_is_not_attested(self, ledger, keys, served, monkeypatch):
        code = source_code.Code(commit="c" * 40, is_dirty=False, source_sha256="a" * 64)
        files = dict.fromkeys((*manifest.FILES, "model/illicit.txt"), "b" * 64)
        evidence = manifest.Manifest(code=code, data_version="d", lock_sha256=None, window={}, files=files)
        mine = {"digest": evidence.digest}
        write(ledger, *(each.model_copy(update=mine) for each in (opening(), *signing())))
        refresh = served.ledger.refresh

        def refreshed():  # another connection's section begins right after it
            refresh()
            served.ledger.book.add(entry("promote", SERVICE, **mine))

        monkeypatch.setattr(served.ledger, "refresh", refreshed)
        monkeypatch.setattr(signer, "TURN_S", 0.05)
        with served._turn, pytest.raises(NotSigned, match="others have been signing"):
            asking.attested(keys.socket_file, 1, evidence)

    def test_it_signs_a_model_that_was_promoted_over_this_evidence_and_no_other(self, ledger, keys):
        code = source_code.Code(commit="c" * 40, is_dirty=False, source_sha256="a" * 64)
        files = dict.fromkeys((*manifest.FILES, "model/illicit.txt"), "b" * 64)
        evidence = manifest.Manifest(code=code, data_version="d", lock_sha256=None, window={}, files=files)
        mine = {"digest": evidence.digest}
        write(ledger, *(each.model_copy(update=mine) for each in (opening(), *signing())))
        with pytest.raises(LedgerError, match="only a version that was promoted"):
            asking.attested(keys.socket_file, 1, evidence)
        write(ledger, entry("promote", SERVICE, **mine))
        envelope = asking.attested(keys.socket_file, 1, evidence)
        assert envelope == asking.attested(keys.socket_file, 1, evidence)
        payload, signature = (
            base64.b64decode(each) for each in (envelope["payload"], envelope["signatures"][0]["sig"])
        )
        keys.public_key.verify(signature, attestation.encoded(payload))
        assert json.loads(payload)["predicate"]["version"] == 1
        with pytest.raises(LedgerError, match="version 1 was promoted over evidence"):
            asking.attested(keys.socket_file, 1, evidence.model_copy(update={"data_version": "e"}))
        with wire.connected(keys.socket_file, 5) as line:
            line.send({"do": "attest", "version": 1})
            assert "without a version or its evidence" in line.receive()["why"]

    def test_a_refused_entry_leaves_the_rest_of_its_section(self, ledger, table, keys):
        with ledger.writing() as writer:
            writer.append(opening())
            with pytest.raises(LedgerError):
                writer.append(entry("promote", SERVICE))
            for each in signing():
                writer.append(each)
            assert ledger.book.state(1, now()) is State.APPROVED  # before it is written
            assert table.rows() == []
        assert len(self.rows(table, keys)) == 4

    def test_where_the_block_fails_nothing_is_added(self, ledger, table, keys):
        write(ledger, opening())
        for written in ([], signing()):
            with pytest.raises(ZeroDivisionError):
                write_and_fail(ledger, *written)
            assert ledger.book.cases[1].approvals == []
            assert len(self.rows(table, keys)) == 1
        write(ledger, *signing())
        assert len(self.rows(table, keys)) == 4

    def test_no_signature_leaves_before_its_row_is_in_the_table(self, ledger, table, keys):
        with wire.connected(keys.socket_file, 5) as line:
            begun(line)
            line.send({"do": "append", "entry": opening().model_dump(mode="json")})
            assert line.receive().keys() == {"answer", "entry"}
            assert table.rows() == []
            line.send({"do": "commit"})
            assert line.receive()["rows"] == [row.model_dump() for row in table.rows()]

    def test_workers_and_threads_that_write_at_once_lose_nothing(self, ledger, table, keys, database_uri):
        tables = [Table(database_uri) for _ in range(WRITERS)]
        workers = [AskedLedger(each, keys.public_key, keys.head_file, POLICY, keys.socket_file) for each in tables]

        def work(worker):
            for _ in range(EACH):
                with worker.writing() as writer:  # each entry depends on the book that the worker has just read
                    version = max(worker.book.cases, default=0) + 1
                    writer.append(opening(version))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in (*workers, workers[0])]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert [each.version for each in self.rows(table, keys)] == list(range(1, 1 + len(threads) * EACH))
        for each in tables:
            each.close()

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"\n",
            b"[]\n",
            b"{\n",
            b'"begin"\n',
            b'{"do": "sign"}\n',
            b'{"do": "begin", "key": 1}\n',
            b'{"do": "commit"}\n',
            b'{"do": "begin"}\n{"do": "begin"}\n',
            b'{"do": "begin"}\n{"do": "append"}\n',
            b'{"do": "begin"}\n{"do": "append", "entry": {"actor": "ann"}}\n',
            b'{"do": "begin"}\n{"do": "append", "entry": {"at": "2024-01-01T00:00Z", "actor": "a", "action": "own"}}\n',
            b'{"do": "begin"}\n' + b"[" * 200_000 + b"\n",
            b"\xff\xfe\n",
            b"x" * (wire.LARGEST_LINE + 1),
        ],
    )
    def test_what_is_no_request_changes_nothing_and_ends_nothing(self, ledger, table, keys, said):
        with socket.socket(socket.AF_UNIX) as connection:
            with wire.place(keys.socket_file) as address:
                connection.connect(address)
            with suppress(OSError):
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            with suppress(OSError):
                while connection.recv(65536):
                    pass
        assert table.rows() == []
        write(ledger, opening())

    def test_who_holds_a_section_and_goes_away_holds_nobody_up(self, ledger, table, keys):
        with wire.connected(keys.socket_file, 5) as line:
            begun(line)
            line.send({"do": "append", "entry": opening(7).model_dump(mode="json")})
            line.receive()
        write(ledger, opening())
        assert [each.version for each in self.rows(table, keys)] == [1]

    def test_who_holds_a_section_is_waited_for_and_not_for_ever(self, ledger, keys, monkeypatch):
        monkeypatch.setattr(signer, "TURN_S", 0.2)
        with wire.connected(keys.socket_file, 5) as line:
            begun(line)
            with pytest.raises(NotSigned, match=r"others have been signing for 0\.2 s: try again"):
                write(ledger, opening())
        write(ledger, opening())

    def test_a_section_has_an_end(self, ledger, keys, monkeypatch):
        monkeypatch.setattr(signer, "SECTION_S", 0.2)
        with wire.connected(keys.socket_file, 5) as line:
            begun(line)
            write(ledger, opening())  # waits for the other to be thrown out
            with suppress(wire.Gone):
                line.send({"do": "commit"})
            with pytest.raises(wire.Gone):
                line.receive()

    def test_more_connections_than_there_are_places_are_turned_away(self, ledger, served, keys):
        taken = 0
        while served._places.acquire(blocking=False):
            taken += 1
        assert taken == signer._MOST_CONNECTIONS
        with pytest.raises(NotSigned, match="the ledger's signer is away"):
            write(ledger, opening())
        for _ in range(taken):
            served._places.release()
        write(ledger, opening())

    def test_nobody_is_served_but_its_own_user(self, ledger, keys, monkeypatch, caplog):
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(NotSigned, match="the ledger's signer is away"):
            write(ledger, opening())
        assert f"process {os.getpid()} of user {os.getuid()} is not of this service" in caplog.text

    def test_another_user_is_refused_though_the_socket_can_be_reached(self, database_uri, tmp_path, caplog):
        """As root, try it as another user; otherwise check the folder's mode, because nobody else gets that far."""
        folder = Path(tempfile.mkdtemp(prefix="signer-"))
        keys = Keys(folder / "signoff")
        keys.make()
        ask = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        ask += 's.sendall(b\'{"do": "begin"}\\n\'); print(s.recv(100))'
        try:
            with serving(keys, database_uri):
                assert stat.S_IMODE(keys.secret_folder.stat().st_mode) == 0o700
                if os.geteuid() == 0:
                    command = ["/usr/bin/python3", "-c", ask, str(keys.socket_file)]
                    folder.chmod(0o755)
                    done = subprocess.run(command, user=NOBODY, capture_output=True, text=True, check=False)
                    assert "Permission denied" in done.stderr
                    keys.secret_folder.chmod(0o711)
                    keys.socket_file.chmod(0o777)
                    done = subprocess.run(command, user=NOBODY, capture_output=True, text=True, check=False)
                    assert done.stdout.strip() in ("b''", "")
                    assert f"of user {NOBODY} is not of this service" in caplog.text
        finally:
            shutil.rmtree(folder)

    def test_a_signer_that_is_away_is_told_and_found_again(self, keys, table, database_uri):
        ledger = AskedLedger(table, keys.public_key, keys.head_file, POLICY, keys.socket_file)
        for _ in range(2):
            assert not asking.answers(keys.socket_file)
            assert asking.why_not(keys.socket_file).startswith("nobody listens at ")
            with pytest.raises(NotSigned, match=r"since the ledger's signer is away .* try again in a minute"):
                write(ledger, entry("account", "root"))
            with serving(keys, database_uri):
                assert asking.answers(keys.socket_file)
                assert asking.why_not(keys.socket_file) is None
                write(ledger, entry("account", "root"))
        assert len(self.rows(table, keys)) == 2

    def test_a_ledger_that_is_broken_meanwhile_is_told_by_both(self, ledger, table, keys, database_uri):
        write(ledger, opening(), *signing())
        engine = sa.create_engine(database_uri)
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM tidewaiter_ledger WHERE number = 4"))
        engine.dispose()
        assert not asking.answers(keys.socket_file)
        assert "row 4 is missing" in asking.why_not(keys.socket_file)
        with pytest.raises(LedgerError, match="row 4 is missing"):
            write(ledger, entry("account", "root"))

    def test_a_clock_that_runs_behind_does_not_turn_time_back(self, served, ledger):
        write(ledger, opening())
        latest = served.ledger.latest_at
        asked = entry("account", "root")
        assert served.stamped(asked, latest + timedelta(seconds=1)).at == latest + timedelta(seconds=1)
        for behind in (timedelta(0), timedelta(seconds=1), CLOCK_MAY_BE_BEHIND):
            assert served.stamped(asked, latest - behind).at == latest
        with pytest.raises(NotSigned, match="the clock of this machine is behind the ledger: it says"):
            served.stamped(asked, latest - CLOCK_MAY_BE_BEHIND - timedelta(seconds=1))
        assert CLOCK_MAY_BE_BEHIND < BACKWARDS

    def test_what_hinders_a_signature_is_told_though_nobody_signs(self, served, ledger, table, keys, monkeypatch):
        write(ledger, opening())
        assert asking.why_not(keys.socket_file) is None
        with monkeypatch.context() as set_back:
            set_back.setattr(ledgers, "now", lambda: served.ledger.latest_at - timedelta(hours=1))
            assert "the clock of this machine is behind the ledger" in asking.why_not(keys.socket_file)
            assert asking.answers(keys.socket_file)  # `up` starts all the same: nights need no signature
        with monkeypatch.context() as full:
            full.setattr(ledgers, "write_atomically", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
            assert "the database or the disk failed: No space left" in asking.why_not(keys.socket_file)
        assert asking.why_not(keys.socket_file) is None
        assert len(self.rows(table, keys)) == 1

    def test_while_another_program_has_the_database_locked_the_probe_says_so(self, served, table, keys, monkeypatch):
        monkeypatch.setattr(signer, "PROBED_S", 0.2)
        with table.alone():
            assert re.search(r"the database or the disk failed: .*lock", asking.why_not(keys.socket_file))
            with served._turn:  # as somebody holds it who is signing
                assert asking.why_not(keys.socket_file) == "whoever signs has been waiting for 0.2 s or more"
            assert asking.answers(keys.socket_file)  # `up` starts all the same
        assert asking.why_not(keys.socket_file) is None

    def test_whoever_waits_longer_than_a_section_lasts_is_told_why(self, served, ledger, monkeypatch):
        @contextmanager
        def writing():
            time.sleep(0.3)
            raise sa.exc.OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))
            yield

        monkeypatch.setattr(signer, "SECTION_S", 0.2)
        monkeypatch.setattr(served.ledger, "writing", writing)
        with pytest.raises(NotSigned, match="the database or the disk failed: database is locked, see signer"):
            write(ledger, opening())

    def test_a_table_that_is_locked_is_probed_for_no_longer_than_was_said(self, table, database_uri):
        other = Table(database_uri)
        with table.alone(), pytest.raises(sa.exc.SQLAlchemyError):
            other.probe(0.1)
        other.probe(0.1)
        other.close()

    def test_the_program_is_killed_in_the_middle_and_started_again(self, keys, table, database_uri):
        environment = {"SIGNOFF_FOLDER": str(keys.folder), "SIGNOFF_DATABASE_URI": database_uri}
        command = [sys.executable, "-m", "models.signer.signer"]
        ledger = AskedLedger(table, keys.public_key, keys.head_file, load().signoff, keys.socket_file)
        for number in (1, 2):
            started = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL)
            until = time.monotonic() + 60
            while not asking.answers(keys.socket_file):
                assert time.monotonic() < until
                time.sleep(0.05)
            try:
                assert stat.S_IMODE(keys.socket_file.stat().st_mode) == 0o700
                if number == 1:
                    second = subprocess.run(command, env=os.environ | environment, capture_output=True, check=False)
                    assert b"another signer serves" in second.stderr
                write(ledger, opening(number))
                with wire.connected(keys.socket_file, 5) as line:
                    begun(line)
                    line.send({"do": "append", "entry": opening(number + 5).model_dump(mode="json")})
                    line.receive()
                    os.kill(started.pid, signal.SIGKILL)
                    with pytest.raises(wire.Gone):
                        line.receive()
            finally:
                started.kill()
                started.wait()
        assert [each.version for each in self.rows(table, keys)] == [1, 2]

    def test_a_signer_without_its_key_ends_with_a_sentence(self, keys, database_uri):
        (keys.secret_folder / "ledger.key").chmod(0o640)
        environment = {"SIGNOFF_FOLDER": str(keys.folder), "SIGNOFF_DATABASE_URI": database_uri}
        done = subprocess.run(
            [sys.executable, "-m", "models.signer.signer"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert json.dumps(done.stderr.strip().splitlines()).count("open to others (mode 640)") == 1
