"""Let a run outlive its worker.

The worker reads the run's output, and once it is gone, writing to that output would end the run: Prefect's worker reads
what its runs print through pipes, and Rich, with which Prefect logs, ends a process whose pipe is broken.
"""

import os
import select
import stat
from collections.abc import Iterable
from threading import Thread

RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"  # the variable by which a run's process knows its run


def outlive_worker() -> None:
    """Discard standard output and error of a run's process once nobody reads them. Prefect has the log itself."""
    if RUN_VARIABLE in os.environ:
        watch((1, 2))


def watch(descriptors: Iterable[int]) -> Thread | None:
    """Redirect each descriptor that is a pipe to /dev/null when its reader is gone.

    Returns the thread that watches them, or None if none of the descriptors is a pipe.
    """
    poll, watched = select.poll(), set()
    for each in descriptors:
        if stat.S_ISFIFO(os.fstat(each).st_mode):
            poll.register(each, 0)  # poll reports errors without being asked for them, and nothing else is of interest
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
