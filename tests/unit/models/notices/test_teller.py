"""The whole of telling, from sources to a web server that receives."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from models.database import Unavailable
from models.notices import Found, Person, Teller, sending
from models.notices.outbox import QUIET, SETTLE
from tests.support.noticed import FACTS, at, event
from tests.support.receiver import receiving

QUIET_S, SETTLE_S = QUIET.total_seconds(), SETTLE.total_seconds()
ROUND_S = 20  # as flows/watching/telling.py has it


@dataclass
class Source:
    """A source that finds what it is given, and fails when it is told to."""

    events: list = field(default_factory=list)
    fails: bool = False
    cursors: list = field(default_factory=list)

    def look(self, pages, cursor, now):
        self.cursors.append(cursor)
        if self.fails:
            raise OSError("away")
        return Found(list(self.events), str(len(self.cursors)))


class House:
    """A teller with one source, its receiver, and a clock that goes on by rounds."""

    def __init__(self, receiver, outbox, recipients):
        self.receiver, self.outbox, self.recipients = receiver, outbox, recipients
        self.source, self.said, self.seconds = Source(), [], 0.0
        self.start()

    def start(self, send=sending.send):
        """Begin anew, as a process that is started again."""
        person = {"sue": Person({"supervisor"}, {"010"})}.get
        self.teller = Teller(
            self.recipients,
            self.outbox,
            {"it": self.source},
            lambda name: person(name, Person()),
            self.said.append,
            send,
        )

    def pass_(self, seconds):
        """Let time pass in rounds."""
        end = self.seconds + seconds
        while self.seconds <= end:
            self.teller.round(at(self.seconds))
            self.seconds += ROUND_S

    @property
    def titles(self):
        return [message["title"] for message in self.receiver.messages]


@pytest.fixture
def house(outbox, read):
    with receiving() as receiver:
        recipients = read(
            f'[[recipients]]\nrole = "operator"\nurls = ["{receiver.url}"]\n'
            f'[[recipients]]\naccount = "sue"\nlanguage = "fr"\nurls = ["{receiver.url}"]\n'
        )
        yield House(receiver, outbox, recipients)


def test_every_kind_of_event_is_a_message_within_a_minute(house):
    house.source.events = [event(kind) for kind in FACTS]
    house.pass_(60 - ROUND_S)
    assert len(house.titles) == len(set(house.titles)) == len(FACTS) >= 10
    assert len(set(house.receiver.keys)) == len(FACTS)
    house.pass_(QUIET_S * 3)
    assert len(house.titles) == len(FACTS)  # found at every look, and told once


def test_each_is_told_what_concerns_them_in_their_language(house):
    house.source.events = [
        event(key="1", role="supervisor", office="010"),
        event(key="2", role="supervisor", office="020"),
        event("refused", accounts=("Sue",)),
    ]
    house.pass_(60)
    assert house.titles == [
        "Tidewaiter: le délai de dossiers est dépassé",
        "Tidewaiter: a version was refused",  # to the role's address
        "Tidewaiter: une version a été refusée",
    ]


def test_a_hundred_events_are_one_digest(house):
    for number in range(100):
        house.source.events.append(event("run-failed", str(number)))
    house.pass_(60)
    assert house.titles == ["Tidewaiter: a run failed (100)"]


def test_events_that_keep_coming_are_a_digest_now_and_then(house):
    for number in range(90):
        house.source.events.append(event("run-failed", str(number)))
        house.pass_(0)
    assert house.seconds == 1800
    house.pass_(QUIET_S)
    counts = [int(title.partition("(")[2].rstrip(")") or 1) for title in house.titles]
    assert sum(counts) == 90
    assert len(counts) <= 5


def test_a_receiver_that_was_away_gets_each_event_later_and_once(house):
    house.receiver.status = 503
    house.source.events = [event("run-failed", "1"), event("fallback", "1")]
    house.pass_(3600)
    house.source.events.append(event("run-failed", "2"))
    house.pass_(3600)
    assert house.titles == []
    said = [text.partition(":")[0] for text in house.said if "is not told" in text]
    assert sorted(said) == [f"role operator (en) is not told ({kind}) by json" for kind in ("fallback", "run-failed")]
    assert house.outbox.waiting(house.recipients.addresses) == (3, at())
    house.receiver.status = 200
    house.pass_(3600 + QUIET_S)
    said = "\n".join(message["message"] for message in house.receiver.messages)
    assert len(house.titles) == 3  # what had settled goes as it was, and what came later after it
    assert said.count("tidy-otter") == 2
    assert house.outbox.waiting(house.recipients.addresses) == (0, None)


def test_a_receiver_that_is_away_is_asked_more_and_more_rarely(house):
    tried = []

    def send(*given):
        tried.append(house.seconds)
        return "away"

    house.source.events = [event("run-failed")]
    house.start(send)
    house.pass_(5 * 3600)
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert gaps == [40, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]  # whole rounds of half a minute doubled


def test_what_is_found_at_every_look_is_not_put_in_at_every_look(house, monkeypatch):
    house.source.events = [event("run-failed")]
    house.pass_(0)
    monkeypatch.setattr(house.outbox, "put", lambda events, *given: [*events] and pytest.fail("put in again"))
    house.pass_(60)


def test_killed_between_sending_and_marking_it_sends_the_same_again_under_the_same_key(house):
    class Killed(BaseException):
        pass

    def send_and_die(*given):
        assert sending.send(*given) is None
        raise Killed

    house.source.events = [event("run-failed", "1")]
    house.start(send_and_die)
    with pytest.raises(Killed):
        house.pass_(SETTLE_S)
    house.source.events.append(event("run-failed", "2"))
    house.start()
    house.pass_(60)
    first, again = house.receiver.messages
    assert first == again
    assert house.receiver.keys[0] == house.receiver.keys[1]
    house.pass_(QUIET_S)
    assert len(house.titles) == 3
    assert house.receiver.keys[2] != house.receiver.keys[0]


def test_killed_at_any_other_moment_it_tells_once(house):
    house.source.events = [event("run-failed", "1")]
    for _ in range(4):  # after a look, and after what is due was settled
        house.start(lambda *given: "not yet")
        house.pass_(0)
    house.start()
    house.pass_(60)
    assert len(house.titles) == 1


def test_a_source_that_fails_keeps_its_place_and_is_told_of_if_it_lasts(house):
    house.pass_(0)
    house.source.fails = True
    house.pass_(300)
    assert house.titles == []
    assert house.said == ["it cannot be looked at: OSError: away"]
    house.pass_(600)
    assert house.titles == ["Tidewaiter: messages may be missing"]
    assert set(house.source.cursors[2:]) == {"1"}
    house.source.fails = False
    house.pass_(0)
    assert house.said[-1] == "it can be looked at again."


def test_a_fault_at_one_address_keeps_no_message_from_the_others(house):
    def send(url, title, body, key):
        if "délai" in title:
            raise RuntimeError("secret")
        return sending.send(url, title, body, key)

    house.source.events = [event(role="supervisor", office="010"), event("run-failed")]
    house.start(send)
    house.pass_(60)
    assert house.titles == ["Tidewaiter: a run failed"]
    assert "secret" not in "".join(house.said)


def test_a_message_that_cannot_be_written_keeps_no_other_one_back(house):
    house.source.events = [event("refused", facts={}), event("run-failed")]
    house.start()
    house.pass_(60)
    assert house.titles == ["Tidewaiter: a run failed"]
    assert house.said[-1] == "role operator (en) is not told (refused) by json: KeyError. It is tried again."


def test_where_the_outbox_is_away_nothing_is_lost(house, monkeypatch):
    house.source.events = [event("run-failed")]

    def away(*given):
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(house.outbox, "put", away)
        with pytest.raises(Unavailable):
            house.pass_(0)
    house.pass_(60)
    assert house.titles == ["Tidewaiter: a run failed"]
