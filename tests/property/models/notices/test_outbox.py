"""Whatever fails and whenever the process is killed: each event is told at each address, and doubled only as stated."""

import tempfile
from collections import Counter, defaultdict
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from models.notices import Found, Outbox, Person, Recipients, Teller
from models.notices.outbox import QUIET
from models.notices.recipients import Recipient
from models.notices.teller import LONGEST_WAIT
from tests.support.examples import examples
from tests.support.noticed import FACTS, PAGES, START, event

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where nothing waits for the disk
KINDS = ("run-failed", "overdue")
CHANNELS = ("json", "slack")


class Killed(BaseException):
    """The process ends here."""


steps = st.lists(
    st.tuples(
        st.integers(0, 4),  # events that are found
        st.sampled_from([20, 200, 900]),  # seconds until the next round
        st.sampled_from(["taken", "refused", "killed before", "killed after"]),
    ),
    min_size=1,
    max_size=12,
)


@given(steps)
@settings(max_examples=examples(40), deadline=None)
def test_nothing_is_lost_and_only_a_kill_after_sending_doubles_under_the_same_key(taken):
    happened, got, ends, killed = [], defaultdict(list), ["taken"], Counter()

    class Source:
        def look(self, pages, cursor, now):
            return Found(happened[int(cursor or 0) :], str(len(happened)))

    def send(url, title, body, key):
        if ends[0] == "killed before":
            raise Killed
        if ends[0] == "refused":
            return "refused"
        got[url].append((key, title, body))
        if ends[0] == "killed after":
            killed[url, key] += 1
            raise Killed
        return None

    everyone = (Recipient("", "operator", "en", KINDS, {name: name for name in CHANNELS}),)
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        closing(Outbox(f"sqlite:///{folder}/decisions.db")) as outbox,
    ):
        outbox.migrate()

        def started():
            return Teller(
                Recipients(everyone, PAGES), outbox, {"it": Source()}, lambda name: Person(), lambda text: None, send
            )

        teller, now = started(), START
        calm = [(0, max(LONGEST_WAIT, QUIET).total_seconds(), "taken")] * 4
        for count, seconds, end in [*taken, *calm]:
            for _ in range(count):
                number = str(len(happened))
                kind = KINDS[len(happened) % 3 % 2]
                named = {"run": f"run-{number}-"} if kind == "run-failed" else {"case": f"case-{number}-"}
                happened.append(event(kind, number, facts={**FACTS[kind], **named}))
            ends[0] = end
            try:
                teller.round(now)
            except Killed:
                teller = started()
            now += timedelta(seconds=seconds)

    for channel in CHANNELS:
        keys = Counter(key for key, _, _ in got[channel])
        # A kill after sending is the one thing that doubles.
        assert all(count == 1 + killed[channel, key] for key, count in keys.items())
        assert len(set(got[channel])) == len(keys)  # the same key is the same message
        said = "\n".join(body for _, _, body in set(got[channel]))
        for number in range(len(happened)):
            assert said.count(f"run-{number}-") + said.count(f"case-{number}-") == 1
