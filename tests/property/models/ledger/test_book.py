"""Whatever people, clocks and crashes do, and in whatever order, a champion is what the right people signed."""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from models.ledger.book import SERVER, SERVICE, Book
from models.ledger.chain import Chain, Entry, Head, LedgerError, Row, check_head
from models.ledger.lifecycle import TRANSITIONS, Event, State
from models.ledger.storage import Ledger, Table
from tests.support.examples import examples
from tests.support.signing import EVENTS, POLICY, ROLES, digest_of, entry, on, opening

EVERYBODY = ["ann", "bob", "cid", "dee", "eve", "root"]
people = st.sampled_from(sorted(ROLES))
signers = st.sampled_from(EVERYBODY)
steps = st.sampled_from([step.name for step in POLICY.steps])
picks = st.integers(0, 5)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where nothing waits for the disk
VERSIONS = 4
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))  # always the same, so that an example can be repeated


# The oracle: it reads the raw rows, shares no code with chain and book, and counts all anew for every question.


def accepted(database: Path) -> list[dict]:
    """What was accepted, out of rows that are numbered, chained and signed."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT number, entry, hash, signature FROM tidewaiter_ledger ORDER BY 1").fetchall()
    before = (0, "", "0" * 64, "")
    for row in rows:
        assert row[0] == before[0] + 1
        expected = hashlib.sha256(f"{row[0]}\n{before[2]}\n{before[3]}\n{row[1]}".encode()).hexdigest()
        assert row[2] == expected
        KEY.public_key().verify(bytes.fromhex(row[3]), bytes.fromhex(expected))
        before = row
    said = [json.loads(text) for _, text, _, _ in rows]
    return [each for each in said if each["refusal"] is None]


def champion(said: list[dict]) -> int | None:
    """Return the champion by what was accepted; each promotion and rollback must have had what it takes then."""
    reigns: list[int] = []
    for place, each in enumerate(said):
        version, past = each["version"], said[:place]
        if each["action"] == "promote":
            assert each["actor"] == SERVICE
            assert is_signed(past, version, each["digest"], datetime.fromisoformat(each["at"]))
            reigns.append(version)
        if each["action"] == "approve":
            assert being_signed(past, datetime.fromisoformat(each["at"])) <= {version}
        if each["action"] == "roll back":
            assert "reviewer" in each["roles"]
            assert "administrator" not in each["roles"]
            own = [other["action"] for other in past if other["version"] == version]
            assert "void" not in own
            assert version in reigns[:-1]
            reigns = reigns[: reigns.index(version) + 1]
    return reigns[-1] if reigns else None


def being_signed(said: list[dict], at: datetime) -> set[int]:
    """The versions that have signatures, none of which ran out, and that nobody has decided or withdrawn."""
    found = set()
    for version in {each["version"] for each in said if each["action"] == "approve"}:
        own, signed = [each for each in said if each["version"] == version], {}
        days = timedelta(days=own[0]["valid_days"])
        for each in own[1:]:
            now = datetime.fromisoformat(each["at"])
            if each["action"] == "approve":  # whoever signs leaves out what had run out by then
                signed = {who: when for who, when in signed.items() if now - when <= days} | {each["actor"]: now}
            elif each["action"] == "revoke":
                signed.pop(each["actor"])
        is_decided = {"reject", "withdraw", "void", "promote"} & {each["action"] for each in own}
        if signed and not is_decided and all(at - when <= days for when in signed.values()):
            found.add(version)
    return found


def is_signed(said: list[dict], version: int, digest: str, at: datetime) -> bool:
    """Whether all signatures are there over this evidence, by different people who may, none too old or taken back."""
    own = [each for each in said if each["version"] == version]
    if not own or {"reject", "withdraw", "void", "promote"} & {each["action"] for each in own}:
        return False
    opened, signed = own[0], {}
    for each in own[1:]:
        if each["action"] == "approve":
            signed[each["actor"]] = each
        else:
            assert each["action"] == "revoke"
            assert signed.pop(each["actor"])["step"] == each["step"]
    oldest = at - timedelta(days=opened["valid_days"])
    valid = [each for each in signed.values() if datetime.fromisoformat(each["at"]) >= oldest]
    assert not {each["actor"] for each in valid} & {*opened["authors"], "root", SERVICE, SERVER}
    assert all(each["digest"] == opened["digest"] == digest_of(version) and each["reason"] for each in valid)
    counts = []
    for step in opened["steps"]:
        by = [each for each in valid if each["step"] == step["name"]]
        assert all(step["role"] in each["roles"] for each in by)
        counts.append(len(by) >= step["signatures"])
    return all(counts) and digest == opened["digest"]


class Signoff(RuleBasedStateMachine):
    """A server of two processes over one database. Rules attempt; the book decides, as it does in the server."""

    @initialize(orders=st.lists(st.permutations(EVERYBODY), max_size=2), then=st.booleans())
    def start(self, orders, then):
        self.folder = Path(tempfile.mkdtemp(prefix="tidewaiter-signoff-", dir=MEMORY))
        self.database, self.head_file = self.folder / "mlflow.db", self.folder / "head.json"
        self.head_file.write_text(Head(number=0, hash="0" * 64).model_dump_json())
        self.tables, self.ledgers = [None, None], [None, None]
        self.day, self.count, self.altered = 0.0, 0, set()
        for process in (0, 1):
            self.restart(process)
        for pick, order in enumerate(orders):
            self.retrain()
            self.have_everybody_try_to_sign(pick, 0, order, then)
        self.retrain()

    def teardown(self):
        for table in self.tables:
            table.close()
        shutil.rmtree(self.folder)

    @rule()
    @precondition(lambda self: self.count < VERSIONS)
    def retrain(self):
        self.count += 1
        self.write(0, opening(self.count, self.day))

    @rule(pick=picks, process=st.integers(0, 1), actor=signers)
    def sign_what_is_awaited(self, pick, process, actor):
        version = self.version(pick)
        step = self.ledgers[process].refresh().cases[version].awaited(on(self.day)) or POLICY.steps[-1]
        self.attempt(process, "approve", actor, version, step.name)

    @rule(pick=picks, process=st.integers(0, 1), order=st.permutations(EVERYBODY), then=st.booleans())
    def have_everybody_try_to_sign(self, pick, process, order, then):
        for actor in (*order, *order):
            if self.ledgers[process].refresh().cases[self.version(pick)].awaited(on(self.day)):
                self.sign_what_is_awaited(pick, process, actor)
        if then:
            self.promote_what_is_approved(process)

    @rule(
        pick=picks, process=st.integers(0, 1), actor=signers, action=st.sampled_from(["reject", "revoke", "withdraw"])
    )
    def have_somebody_object(self, pick, process, actor, action):
        for step in POLICY.steps:
            self.attempt(process, action, actor, self.version(pick), step.name)

    @rule(
        pick=picks,
        process=st.integers(0, 1),
        action=st.sampled_from(
            ["approve", "approve", "revoke", "revoke", "reject", "withdraw", "promote", "roll back", "void", "open"]
        ),
        actor=people,
        step=steps,
    )
    def attempt_anything(self, pick, process, action, actor, step):
        self.attempt(process, action, actor, self.version(pick), step)

    @rule(process=st.integers(0, 1))
    def promote_what_is_approved(self, process):
        for case in list(self.ledgers[process].refresh().approved(on(self.day))):
            self.attempt(process, "promote", SERVICE, case.version)

    @rule(process=st.integers(0, 1), actor=signers)
    def roll_back(self, process, actor):
        if case := self.ledgers[process].refresh().fallback():
            self.attempt(process, "roll back", actor, case.version)

    @rule(pick=picks)
    def alter_evidence_or_put_it_back(self, pick):
        self.altered ^= {self.version(pick)}

    @rule(pick=picks)
    @precondition(lambda self: self.altered)
    def look_at_evidence(self, pick):
        self.attempt(0, "void", SERVER, sorted(self.altered)[pick % len(self.altered)])

    @rule(days=st.sampled_from([0.5, 10, 20, 31]))
    def let_time_pass(self, days):
        before = self.states()
        self.day += days
        self.went(before, lambda version: Event.EXPIRE)

    @rule(process=st.integers(0, 1))
    def restart(self, process):
        if self.tables[process]:
            self.tables[process].close()
        self.tables[process] = Table(f"sqlite:///{self.database}")
        self.ledgers[process] = Ledger(self.tables[process], KEY, self.head_file, POLICY)

    @rule(process=st.integers(0, 1), actor=signers, pick=picks, is_in_table=st.booleans())
    def crash_while_signing(self, process, actor, pick, is_in_table):
        """Before the row is in the table, or between table and head file."""
        ledger = self.ledgers[process]

        def fail(*_):
            raise KeyboardInterrupt

        step = ledger.refresh().cases[self.version(pick)].awaited(on(self.day)) or POLICY.steps[-1]
        rows = len(self.tables[process].rows())
        with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(ledger, "_note", fail)
            if not is_in_table:
                patch.setattr("sqlalchemy.engine.Connection.commit", fail)
            self.attempt(process, "approve", actor, self.version(pick), step.name)
        assert len(self.tables[process].rows()) == rows + is_in_table
        self.restart(process)

    @rule(data=st.data())
    def alter_a_row(self, data):
        """Whichever, however: it is found, and so is its loss."""
        rows = self.tables[0].rows()
        if not rows:
            return
        head = Head(number=rows[-1].number, hash=rows[-1].hash)
        place = data.draw(st.integers(0, len(rows) - 1))
        field = data.draw(st.sampled_from(["entry", "hash", "signature", "number", "all"]))
        found = rows.copy()
        if field == "all":
            del found[place]
        elif field == "number":
            found[place] = rows[place].model_copy(
                update={"number": data.draw(st.integers(-1, 99).filter(lambda n: n != place + 1))}
            )
        else:
            found[place] = rows[place].model_copy(update={field: data.draw(changes(getattr(rows[place], field)))})
        assert self.is_broken(found, head)

    @invariant()
    def the_oracle_finds_the_same_champion_and_would_promote_the_same(self):
        said, at = accepted(self.database), on(self.day)
        for ledger in self.ledgers:
            assert ledger.refresh().champion == champion(said)
        for version in range(1, self.count + 1):
            for digest in (digest_of(version), digest_of(-version)):
                refusal = ledger.book.refusal(entry("promote", SERVICE, version, day=self.day, digest=digest))
                assert (refusal is None) == is_signed(said, version, digest, at)

    @invariant()
    def reading_from_the_start_gives_the_same_book(self):
        book = Book(POLICY)
        for each in Chain(KEY.public_key()).extend(self.tables[0].rows()):
            book.apply(each)
        for ledger in self.ledgers:
            kept = ledger.refresh()
            assert (kept.cases, kept.reigns) == (book.cases, book.reigns)

    @invariant()
    def there_is_one_champion_and_what_it_would_fall_back_to_is_sound(self):
        book = self.ledgers[0].book
        champions = [version for version, state in self.states().items() if state is State.CHAMPION]
        assert champions in ([], [book.champion])
        assert book.previous is None or not book.cases[book.previous].is_void

    def version(self, pick: int) -> int:
        return 1 + pick % self.count

    def attempt(self, process: int, action: str, actor: str, version: int, step: str | None = None) -> None:
        """Noted as accepted or refused, as the server does."""
        if action == "open":
            made = opening(version, self.day)
        else:
            digest = digest_of(-version) if version in self.altered else digest_of(version)
            made = entry(action, actor, version, step, self.day, digest=digest)
        self.write(process, made)

    def write(self, process: int, made: Entry) -> None:
        ledger, before = self.ledgers[process], self.states()
        with ledger.writing() as writer:
            refusal = ledger.book.refusal(made)
            writer.append(made.model_copy(update={"refusal": refusal}))
            if refusal:
                with pytest.raises(LedgerError):
                    Book.apply(ledger.book, made)
        event = None if refusal else EVENTS[made.action]
        self.went(before, lambda version: event if version == made.version else event and Event.SUPERSEDE)

    def states(self) -> dict[int, State]:
        book = self.ledgers[0].refresh()
        return {version: book.state(version, on(self.day)) for version in range(1, VERSIONS + 1)}

    def went(self, before: dict[int, State], why) -> None:
        """Every state that changed did so for a reason that the lifecycle has."""
        for version, state in self.states().items():
            if state is not before[version]:
                assert state in TRANSITIONS[before[version], why(version)]

    def is_broken(self, rows: list[Row], head: Head) -> bool:
        try:
            Chain(KEY.public_key()).extend(rows)
            check_head(rows, head)
        except LedgerError:
            return True
        return False


def changes(text: str) -> st.SearchStrategy[str]:
    """Texts that differ from `text` by little or much."""
    places = st.integers(0, len(text) - 1)
    letters = st.characters(exclude_categories=["Cs"])
    edited = st.builds(lambda place, letter: text[:place] + letter + text[place + 1 :], places, letters)
    others = st.sampled_from([text.upper(), text + " ", text[1:], "", text.replace("null", '"no"')]) | st.text(
        max_size=9
    )
    return (edited | others).filter(lambda other: other != text)


TestSignoff = Signoff.TestCase
TestSignoff.settings = settings(
    max_examples=examples(20),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
