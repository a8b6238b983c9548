from datetime import timedelta

from models.notices.outbox import QUIET, SETTLE
from tests.support.noticed import at, event

HERE, THERE = ("ops", "json"), ("ops", "slack")
SETTLED = SETTLE.total_seconds()


def put(outbox, *events, seconds=0.0, to=(HERE,), cursor=None):
    return outbox.put([(each, address) for each in events for address in to], "runs", cursor, at(seconds))


def due(outbox, seconds, addresses=(HERE, THERE)):
    return outbox.due(set(addresses), at(seconds))


def test_an_event_is_kept_once_for_each_address(outbox):
    assert put(outbox, event(key="1"), event(key="1"), to=(HERE, THERE)) == 2
    assert put(outbox, event(key="1"), event(key="2"), to=(HERE, THERE)) == 2
    assert put(outbox, *(event(key=str(number)) for number in range(1_200))) == 1_198
    batch, *_ = due(outbox, SETTLED)
    outbox.mark_sent(batch, at(SETTLED))
    assert put(outbox, event(key="1")) == 0  # also after it was sent


def test_the_place_of_a_source_is_kept_with_what_it_has_found(outbox):
    assert outbox.cursor("runs") is None
    put(outbox, event(), cursor="7")
    put(outbox, cursor="8")
    put(outbox)
    assert (outbox.cursor("runs"), outbox.cursor("cases")) == ("8", None)


def test_a_message_waits_for_others_of_its_kind(outbox):
    put(outbox, event(key="1"))
    assert due(outbox, SETTLED - 1) == []
    put(outbox, event(key="2"), event("run-failed"), seconds=SETTLED - 1)
    (batch,) = due(outbox, SETTLED)
    assert (batch.kind, batch.address, len(batch.events)) == ("overdue", HERE, 2)


def test_what_is_settled_stays_as_it_is_until_it_is_sent(outbox):
    put(outbox, event(key="1"), to=(HERE, THERE))
    first, other = due(outbox, SETTLED)
    assert first.key != other.key
    put(outbox, event(key="2"), seconds=SETTLED)
    again, _ = due(outbox, 10 * SETTLED)
    assert again == first
    outbox.mark_sent(first, at(10 * SETTLED))
    assert [each.address for each in due(outbox, 10 * SETTLED)] == [THERE]


def test_between_two_messages_of_a_kind_there_is_quiet_and_then_one_has_all(outbox):
    put(outbox, event(key="first"))
    (batch,) = due(outbox, SETTLED)
    outbox.mark_sent(batch, at(SETTLED))
    put(outbox, event("run-failed"), *(event(key=str(number)) for number in range(100)), seconds=SETTLED)
    quiet = SETTLED + QUIET.total_seconds()
    assert [each.kind for each in due(outbox, quiet - 1)] == ["run-failed"]  # another kind does not wait
    assert sorted(len(each.events) for each in due(outbox, quiet)) == [1, 100]


def test_an_address_that_is_gone_is_sent_nothing_and_does_not_count(outbox):
    put(outbox, event(), to=(HERE, THERE))
    assert [each.address for each in due(outbox, SETTLED, [THERE])] == [THERE]
    assert outbox.waiting({THERE}) == (1, at())
    assert outbox.waiting({HERE, THERE}) == (2, at())
    assert outbox.waiting(set()) == (0, None)


def test_what_was_told_is_listed(outbox):
    put(outbox, event(key="1"))
    put(outbox, event(key="2"), seconds=1)
    (batch,) = due(outbox, SETTLED + 1, [HERE])
    outbox.mark_sent(batch, at(30))
    put(outbox, event(key="3"), seconds=40)
    latest = outbox.latest(2)
    assert [(each.event, each.sent_at) for each in latest] == [("overdue/3", None), ("overdue/2", at(30))]
    assert latest[0].put_at - latest[1].put_at == timedelta(seconds=39)
