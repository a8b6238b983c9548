"""A run outlives its worker: what reads the run's output is gone then, and to write to it would end the run.

Prefect's worker reads what its runs print by pipes. Rich, by which Prefect logs, ends a process whose pipe is broken.
"""

import os
import select
import stat
from collections.abc import Iterable
from threading import Thread

_RUN_ID = "PREFECT__FLOW_RUN_ID"  # in the environment of a run's process


def outlive_worker() -> None:
    """In a run's process: once nobody reads standard output or error, they lead nowhere. Prefect has the log itself."""
    if _RUN_ID in os.environ:
        watch((1, 2))


def watch(descriptors: Iterable[int]) -> Thread | None:
    """Lead those of the descriptors that are pipes nowhere, each when its reader is gone; None where none is a pipe."""
    poll, watched = select.poll(), set()
    for each in descriptors:
        if stat.S_ISFIFO(os.fstat(each).st_mode):
            poll.register(each, 0)  # errors are told without being asked for, and nothing else is of interest
            watched.add(each)
    if not watched:
        return None

    def follow() -> None:
        while watched:
            for each, _ in poll.poll():
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, each)
                os.close(nowhere)
                poll.unregister(each)
                watched.discard(each)

    thread = Thread(target=follow, daemon=True)
    thread.start()
    return thread
