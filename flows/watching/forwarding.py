"""The process that sends lineage to others: `python -m flows.watching.forwarding`, which `up` runs with `lineage_url`.

It is a process of its own, so that an endpoint that is slow or away keeps no run and no server waiting.
"""

import sys

from flows.processes.children import Program
from flows.settings import Settings
from flows.watching import rounds

EVERY_S = 20.0


def program(settings: Settings) -> Program | None:
    """Return the program that `up` runs; None if lineage goes nowhere."""
    if settings.lineage_url is None:
        return None
    return Program("lineage", (sys.executable, "-m", "flows.watching.forwarding"), {}, lambda: True, umask=0o077)


def forward() -> None:
    """Send what was told since the last time; Refused if the endpoint does not take it."""
    from models.lineage import Log, send  # not for `up`, which only starts this process

    settings = Settings()
    if settings.lineage_url and settings.lineage_folder.is_dir():
        send(Log(settings.lineage_folder), settings.lineage_url, rounds.say)


if __name__ == "__main__":
    rounds.run(forward, EVERY_S, "Lineage waits in its files", rounds.asked_to_stop())
