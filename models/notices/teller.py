"""One round of telling: what the sources find goes into the outbox, and what is due is sent.

Whatever fails is tried again in a later round: a source has its place noted together with what it has found, and a
message stays in the outbox until it was taken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.notices import sending, writing
from models.notices.event import OPERATOR, Event, Found, Source, plain
from models.notices.outbox import Address, Batch, Outbox
from models.notices.recipients import Person, Recipients

BLIND_AFTER = timedelta(minutes=10)  # a server that is started again is no news
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)  # before a receiver is asked again


@dataclass
class Teller:
    """Tells `recipients` what `sources` find, by an outbox whose tables are made.

    `person` says which roles and offices an account has now. `say` gets what an operator should find in the log.
    """

    recipients: Recipients
    outbox: Outbox
    sources: Mapping[str, Source]
    person: Callable[[str], Person]
    say: Callable[[str], None]
    send: Callable[[str, str, str, str], str | None] = sending.send
    _known: dict[str, set[str]] = field(default_factory=dict, init=False)  # keys that a source found at its last look
    _blind: dict[str, datetime] = field(default_factory=dict, init=False)  # since when a source cannot be looked at
    _failed: dict[str, tuple[int, datetime]] = field(default_factory=dict, init=False)  # how often, and when again

    def round(self, now: datetime) -> None:
        """Look at every source and send what is due. Unavailable if the outbox does not answer."""
        people = {name: self.person(name) for name in self.recipients.accounts}
        for name, source in self.sources.items():
            self._look(name, source, people, now)
        for batch in self.outbox.due(self.recipients.addresses, now):
            self._send(batch, now)

    def _look(self, name: str, source: Source, people: Mapping[str, Person], now: datetime) -> None:
        cursor = self.outbox.cursor(name)
        try:
            found = source.look(self.recipients.pages, cursor, now)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one source, the others are told of
            found = self._unseen(name, error, now)
        else:
            if self._blind.pop(name, None):
                self.say(f"{name} can be looked at again.")
        known = self._known.get(name, set())
        fresh = [event for event in found.events if event.key not in known]
        if fresh or found.cursor not in (None, cursor):
            put = self.outbox.put(
                [(event, to) for event in fresh for to in self._to(event, people)], name, found.cursor, now
            )
            if put:
                self.say(f"{put} messages of {name} are in the outbox.")
        self._known[name] = {event.key for event in found.events}

    def _unseen(self, name: str, error: Exception, now: datetime) -> Found:
        """Say once that a source cannot be looked at; if that lasts, it is an event itself, each day."""
        why = f"{type(error).__name__}: {error}"
        if name not in self._blind:
            self.say(f"{name} cannot be looked at: {why}")
        since = self._blind.setdefault(name, now)
        if now - since < BLIND_AFTER:
            return Found([])
        facts, key = {"source": name, "why": plain(why)}, f"blind/{name}/{now:%Y-%m-%d}"
        return Found([Event("blind", key, now, self.recipients.pages.of("blind"), facts, role=OPERATOR)])

    def _to(self, event: Event, people: Mapping[str, Person]) -> list[Address]:
        told = (each for each in self.recipients.everyone if each.is_told(event, people.get(each.account, Person())))
        return [address for each in told for address in each.addresses]

    def _send(self, batch: Batch, now: datetime) -> None:
        attempts, again_at = self._failed.get(batch.key, (0, now))
        if again_at > now:
            return
        recipient, url = self.recipients.addresses[batch.address]
        try:
            title, body = writing.write(batch, recipient.language, self.recipients.pages)
            why = self.send(url, title, body, batch.key)
        except Exception as error:  # noqa: BLE001  a fault with one message keeps no other one back
            why = f"{type(error).__name__}."
        if why is None:
            self.outbox.mark_sent(batch, now)
            self._failed.pop(batch.key, None)
            return
        wait = min(FIRST_WAIT * 2**attempts, LONGEST_WAIT)
        self._failed[batch.key] = attempts + 1, now + wait
        if attempts == 0:
            self.say(f"{batch.recipient} is not told ({batch.kind}) by {batch.channel}: {why} It is tried again.")
