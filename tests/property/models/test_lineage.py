"""Lineage over kills at any byte: each run starts and ends once, and each file and version is told once."""

import os
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from openlineage.client.event_v2 import RunState

from models.lineage import Log, published
from models.lineage import log as logs
from tests.support.lineage import batch, read, run, store

ENDS = {"COMPLETE", "FAIL", "ABORT"}
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Killed(BaseException):
    pass


class House:
    """Runs one after another, each of which is killed while it writes for the n-th time, or lives."""

    def __init__(self, folder: Path) -> None:
        self.log, self.stored, self.folder, self.now = Log(folder / "lineage"), [], folder / "files", AT
        self.version: str | None = None

    def night(self, killed_at: int, share: float) -> None:
        """Let a run ingest a file and version the data; killed, it has written a share of what it was writing."""
        self.now += timedelta(hours=7)
        opened, writes = [], 0
        append, open_file = Log.append, logs._opened

        def remember(path: Path) -> int:
            opened.append(open_file(path))
            return opened[-1]

        def die(log: Log, kind: str, at: datetime, events: list[str]) -> None:
            nonlocal writes
            writes += 1
            before = {file: file.stat().st_size for file in log.files()}
            append(log, kind, at, events)
            if writes == killed_at:
                for file in log.files():
                    kept = before.get(file, 0)
                    os.truncate(file, kept + int((file.stat().st_size - kept) * share))
                raise Killed

        with patch.object(Log, "append", die), patch.object(logs, "_opened", remember):
            try:
                self.live()
            except Killed:
                for each in opened:
                    with suppress(OSError):
                        os.close(each)

    def live(self) -> None:
        ours = run()
        begun = self.log.begin(ours, self.now)
        self.stored.append(batch(f"file-{len(self.stored)}"))
        self.publish(ours)  # as the flows do, before another version is taken
        self.version = f"version-{len(self.stored)}"
        self.publish(ours)
        begun.end(RunState.COMPLETE, self.now)

    def publish(self, ours) -> None:
        stores = {"files": store(self.folder, *self.stored)}
        self.log.tell_once(published.events(stores, self.version, ours, self.now), self.now)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 6), st.floats(0, 1)), max_size=4))
def test_over_kills_each_run_file_and_version_is_told_once(nights):
    with TemporaryDirectory() as folder:
        house = House(Path(folder))
        for killed_at, share in nights:
            house.night(killed_at, share)
        house.live()
        events = [event for file in house.log.files() for event in read(file)]
    by_run: dict[str, list[str]] = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert all(len(states) == 2 and states[0] == "START" and states[1] in ENDS for states in by_run.values())
    files = Counter(each["name"] for event in events for each in event["inputs"] if "sha256" in each["name"])
    assert files == {f"files/files/sha256:file-{number}": 1 for number in range(len(house.stored))}
    written = Counter(
        each["facets"]["version"]["datasetVersion"]
        for event in events
        for each in event["outputs"]
        if each["name"] == "data"
    )
    assert set(written.values()) == {1}
    assert f"version-{len(house.stored)}" in written
