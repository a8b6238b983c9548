"""Promotion against a server in memory that keeps a book as the real one does; the real one is in integration tests."""

import httpx
import pytest

from models.ledger.book import SERVER, SERVICE
from models.ledger.chain import LedgerError
from models.names import CHALLENGER, CHAMPION, EVIDENCE_DIGEST, PENDING, PREVIOUS
from models.signoff import promotion
from models.signoff.projection import Memory, Stored
from models.signoff.promotion import Promoter
from tests.support import signing
from tests.support.signing import digest_of, entry, on


class Killed(BaseException):
    """As by kill -9."""


class Server:
    """MLflow's aliases and tags behind the rules; `entries` is the ledger. Dies before its `dies_at`-th write."""

    def __init__(self, versions=(1,), opening=signing.opening):
        self.opening = opening
        self.entries = []
        self.digests = {number: digest_of(number) for number in versions}
        self.aliases = {}
        self.tags = {number: self._first_tags(number) for number in versions}
        self.altered = set()
        self.description = ""
        self.inspected, self.writes, self.dies_at = [], 0, None
        self.while_judging = lambda version: None

    @property
    def book(self):
        return signing.book_of(*self.entries)

    def add(self, *entries):
        self.entries += entries

    def stored(self):
        return Stored(dict(self.aliases), {n: dict(tags) for n, tags in self.tags.items()}, self.description)

    def inspect(self, version):
        self.inspected.append(version)
        case = self.book.cases.get(version)
        if case is None:
            self.while_judging(version)
            self.add(self.opening(version))
        elif self.digests[version] != case.digest and not case.is_void:
            self.add(entry("void", SERVER, version, digest=self.digests[version]))

    def verify(self, case):
        if case.version in self.altered:
            raise ValueError("model/booster.txt is not the file that was signed")

    def promote(self, version):
        self._write()
        asked = entry("promote", SERVICE, version, digest=self.digests[version])
        if refusal := self.book.refusal(asked):
            return refusal
        self.add(asked)
        self._write()  # the ledger has it, MLflow not yet
        self.aliases[CHAMPION] = version
        return None

    def set_alias(self, alias, version):
        self._write()
        book = self.book
        if alias != CHALLENGER:
            assert version == (book.champion if alias == CHAMPION else book.previous)
        if version is None:
            del self.aliases[alias]
        else:
            self.aliases[alias] = version

    def set_tag(self, version, key, value):
        self._write()
        self.tags[version][key] = value

    def describe(self, text):
        self._write()
        self.description = text

    def _write(self):
        self.writes += 1
        if self.writes == self.dies_at:
            raise Killed

    @staticmethod
    def _first_tags(number):
        steps = {f"signoff.{step.name}": PENDING for step in signing.POLICY.steps}
        return {EVIDENCE_DIGEST: digest_of(number), **steps}


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def run(tmp_path):
    """A pass over a server; `run.told` has every alarm told so far."""

    def one(server, day=0.0, during_pause=lambda: None, read_book=None):
        promoter = Promoter(
            server=server,
            read_book=read_book or (lambda: server.book),
            memory_file=tmp_path / "promotion.json",
            tell=one.told.extend,
            now=lambda: on(day),
            sleep=lambda seconds: during_pause(),
        )
        return promoter.run()

    one.told = []
    return one


def signed(server, version=1):
    """All signatures, the tags as the server writes them."""
    server.add(*signing.signing(version))
    server.tags[version] |= server.book.cases[version].tags(on(0))


APPROVAL = entry("approve", "ann", step="technical")
APPROVED = signing.book_of(signing.opening(), APPROVAL).cases[1].tags(on(0))["signoff.technical"]


def test_a_version_is_opened_and_waits(server, run):
    assert run(server).words == "nothing to do"
    assert server.book.words(1, on(0)) == "awaiting technical"
    assert server.aliases == {}


def test_what_is_approved_does_not_wait_for_candidates_to_be_judged(server, run):
    run(server)
    signed(server)
    other = Server((2, 3))
    server.digests |= other.digests
    server.tags |= other.tags
    champions = {}
    server.while_judging = lambda version: champions.setdefault(version, server.aliases.get(CHAMPION))
    outcome = run(server)
    assert champions == {2: 1, 3: 1}
    assert (outcome.promoted, outcome.alarms, run.told) == ((1,), (), [])
    assert server.description.count("version 3") == 1


def test_the_last_signature_given_while_a_candidate_is_judged_does_not_wait_for_the_next(run):
    server, champions = Server((1,)), {}
    run(server)
    server.digests |= Server((2, 3)).digests
    server.tags |= Server((2, 3)).tags

    def judging(version):
        champions[version] = server.aliases.get(CHAMPION)
        if version == 2:
            signed(server)

    server.while_judging = judging
    assert run(server).promoted == (1,)
    assert champions == {2: None, 3: 1}


def test_where_nothing_is_approved_and_nothing_new_the_ledger_is_read_twice(server, run):
    """It is as long as there were signatures, and a pass is made each minute."""
    run(server)
    reads = []
    run(server, read_book=lambda: reads.append(1) or server.book)
    assert len(reads) == 2


def test_what_the_server_refuses_to_promote_is_told_once_and_promoted_when_it_may(server, run):
    run(server)
    signed(server)
    server.promote = lambda version: "plots/gain.png is not what was sealed"
    for _ in range(2):
        assert run(server).alarms == ("version 1 is signed, and not promoted: plots/gain.png is not what was sealed",)
    assert run.told == ["version 1 is signed, and not promoted: plots/gain.png is not what was sealed"]
    del server.promote
    assert run(server).promoted == (1,)


@pytest.mark.parametrize("status", [403, 500])
def test_what_the_server_refuses_is_its_sentence_and_what_fails_there_is_an_error(status):
    def answer(request):
        return httpx.Response(status, json={"message": "not as the ledger has it"})

    with httpx.Client(base_url="http://mlflow", transport=httpx.MockTransport(answer)) as client:
        server = promotion.Server(client)
        if status == 403:
            assert server.promote(1) == server.inspect(1) == "not as the ledger has it"
            server.describe("somebody has signed meanwhile")  # the next pass says it
            return
        for act in (lambda: server.promote(1), lambda: server.inspect(1), lambda: server.describe("x")):
            with pytest.raises(RuntimeError, match="500 not as the ledger has it"):
                act()


def test_an_approved_version_becomes_champion_once(server, run):
    run(server)
    signed(server)
    assert run(server).promoted == (1,)
    assert run(server).promoted == ()
    assert server.aliases == {CHAMPION: 1}
    assert run.told == []


def test_a_champion_challenges_nobody_any_more(server, run):
    server.aliases[CHALLENGER] = 1
    run(server)
    assert server.aliases == {CHALLENGER: 1}
    signed(server)
    run(server)
    assert server.aliases == {CHAMPION: 1}
    assert run.told == []


def test_a_challenger_of_the_champion_stays(run):
    server = Server((1, 2))
    server.aliases[CHALLENGER] = 2
    run(server)
    signed(server, 1)
    run(server)
    assert server.aliases == {CHAMPION: 1, CHALLENGER: 2}


def test_the_page_of_the_model_says_what_waits_and_then_what_decides(server, run):
    run(server)
    assert "[version 1](#/models/customs-risk/versions/1), made by eve: technical still needs 1" in server.description
    before = server.writes
    run(server)
    assert server.writes == before
    signed(server)
    run(server)
    assert "**The champion, [version 1](#/models/customs-risk/versions/1), decides**" in server.description
    assert run.told == []


def test_the_champion_before_becomes_previous(run):
    server = Server((1, 2))
    for version in (1, 2):
        run(server)
        signed(server, version)
        run(server)
    assert server.aliases == {CHAMPION: 2, PREVIOUS: 1}
    assert run.told == []


def test_a_rollback_is_carried_out_without_an_alarm(run):
    server = Server((1, 2))
    for version in (1, 2):
        run(server)
        signed(server, version)
    run(server)
    server.add(entry("roll back", "bob", 1))
    assert run(server).alarms == ()
    assert server.aliases == {CHAMPION: 1}


def test_evidence_that_is_not_what_was_signed_is_not_promoted(server, run):
    run(server)
    signed(server)
    server.altered.add(1)
    for _ in range(2):
        assert run(server).promoted == ()
    assert run.told == ["version 1 is signed, and not promoted: model/booster.txt is not the file that was signed"]
    assert server.aliases == {}


def test_altered_evidence_of_the_champion_is_told_once(server, run):
    run(server)
    signed(server)
    run(server)
    server.digests[1] = "f" * 64
    for _ in range(2):
        assert len(run(server).alarms) == 1
    assert run.told == ["the evidence of version 1 was altered after it was opened: it can never be promoted"]


@pytest.mark.parametrize("alias", [CHAMPION, PREVIOUS])
def test_an_alias_set_past_the_ledger_is_told_and_put_back(alias, run):
    server = Server((1, 2))
    run(server)
    signed(server)
    run(server)
    server.aliases[alias] = 2
    run(server)
    assert server.aliases == {CHAMPION: 1}
    told = {CHAMPION: "belongs to version 1", PREVIOUS: "belongs to no version"}
    assert run.told == [f"alias {alias} was at version 2; by the ledger it {told[alias]}"]
    server.aliases[alias] = 2
    run(server)
    assert len(run.told) == 2, "done again, it is told again"


def test_a_lost_alias_is_put_back(server, run):
    run(server)
    signed(server)
    run(server)
    del server.aliases[CHAMPION]
    assert run(server).repaired == ("champion is version 1 again",)
    assert server.aliases == {CHAMPION: 1}


def test_a_tag_set_past_the_ledger_is_told_and_put_back(server, run):
    run(server)
    server.tags[1]["signoff.technical"] = APPROVED
    run(server)
    assert server.tags[1]["signoff.technical"] == PENDING
    assert run.told == [f"tag signoff.technical of version 1 was {APPROVED!r}; by the ledger it is 'pending'"]


def test_a_tag_that_the_server_did_not_come_to_write_is_written_without_an_alarm(server, run):
    run(server)
    server.add(APPROVAL)
    run(server)
    assert server.tags[1]["signoff.technical"] == APPROVED
    assert run.told == []


def test_a_signature_that_runs_out_changes_its_tag_without_an_alarm(server, run):
    run(server)
    server.add(APPROVAL)
    run(server)
    run(server, day=31)
    assert server.tags[1]["signoff.technical"] == PENDING
    assert run.told == []


def test_a_signature_under_way_is_no_alarm(server, run):
    run(server)
    server.tags[1]["signoff.technical"] = APPROVED
    run(server, during_pause=lambda: server.add(APPROVAL))
    assert run.told == []
    assert server.tags[1]["signoff.technical"] == APPROVED


def test_tags_of_unknown_steps_and_of_unopened_versions_are_told(server, run):
    server.tags[1]["signoff.everything"] = "approved by all"
    server.tags[2] = {"signoff.technical": "approved by ann"}
    run(server)
    assert sorted(run.told) == [
        "version 1 has a tag signoff.everything = 'approved by all', which the ledger knows nothing of",
        "version 2 has a tag signoff.technical = 'approved by ann', and was never opened",
    ]


def test_an_evidence_digest_rewritten_and_a_version_gone_are_told(run):
    server = Server((1, 2))
    run(server)
    server.tags[1][EVIDENCE_DIGEST] = "0" * 64
    del server.tags[2]
    run(server)
    assert run.told == [
        f"tag evidence_digest of version 1 is {'0' * 64}, not {digest_of(1)}",
        "version 2 is in the ledger and is gone from MLflow",
    ]


def test_nothing_is_carried_out_by_a_broken_ledger(server, run):
    def broken():
        raise LedgerError("row 3 is missing")

    run(server)
    server.aliases[CHAMPION] = 1
    before = server.writes
    for _ in range(2):
        assert run(server, read_book=broken).alarms == ("the ledger is broken: row 3 is missing",)
    assert server.writes == before
    assert run.told == ["the ledger is broken: row 3 is missing"]


def test_killed_before_any_write_and_run_again_it_comes_to_the_same_without_an_alarm(tmp_path, run):
    dies_at = 0
    while True:
        (tmp_path / "promotion.json").unlink(missing_ok=True)
        server = Server((1, 2, 3), signing.beside_others)
        run(server)
        for version in (1, 2):
            signed(server, version)
        dies_at += 1
        server.writes, server.dies_at = 0, dies_at
        try:
            run(server)
        except Killed:
            pass
        else:
            break
        run(server)
        assert server.aliases == {CHAMPION: 2, PREVIOUS: 1}
        assert run.told == []
    assert dies_at > 4


def test_unsigned_versions_are_looked_at_only_while_newest(run):
    server = Server((1, 2, 3))
    run(server)
    assert server.inspected == [1, 2, 3]
    server.add(entry("approve", "ann", 1, "technical"))
    server.inspected.clear()
    run(server)
    assert server.inspected == [1, 3]


def test_a_memory_that_cannot_be_read_is_an_empty_one(tmp_path):
    file = tmp_path / "promotion.json"
    file.write_text('{"aliases": ')
    assert Memory.read(file) == Memory()


def test_the_challenger_is_the_version_that_people_are_signing_and_then_the_newest_that_waits(server, run):
    server = Server((1, 2))
    server.aliases[CHALLENGER] = 2
    run(server)
    assert server.aliases == {CHALLENGER: 2}
    server.add(entry("approve", "ann", 1, "technical"))
    assert run(server).alarms == ()
    assert server.aliases == {CHALLENGER: 1}
    server.tags[3], server.digests[3] = server._first_tags(3), digest_of(3)
    run(server)
    assert server.aliases == {CHALLENGER: 1}
    server.add(*signing.signing(1)[1:])
    run(server)
    assert server.aliases == {CHAMPION: 1, CHALLENGER: 3}
    assert run.told == []


def test_a_challenger_that_somebody_refused_stays_where_no_other_waits(run):
    server = Server((1, 2))
    server.aliases[CHALLENGER] = 2
    run(server)
    server.add(entry("reject", "ann", 2, "technical"))
    run(server)
    assert server.aliases == {CHALLENGER: 2}
