"""What monitoring could not judge, and for how many nights by now. A night that was not judged is not a good night.

Each source has a file in the folder of the runs. `status` reads it, and the monitoring run reports it after as many
nights as are set. models/monitoring/drift_result.py decides what could not be judged.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from features.disk import write_atomically

_PREFIX = "monitoring-"


@dataclass(frozen=True)
class Unjudged:
    """The last runs of a source's monitoring: what the latest could not judge, and since when.

    `nights` are the days on which something could not be judged, without a break; empty if the latest run judged all.
    """

    source: str
    what: tuple[str, ...] = ()
    nights: tuple[str, ...] = field(default=())

    def is_overdue(self, allowed: int) -> bool:
        """Whether it has lasted for more nights than a setting allows."""
        return len(self.nights) > allowed

    @property
    def sentence(self) -> str:
        nights = f"{len(self.nights)} night{'s' * (len(self.nights) > 1)}"
        return f"not judged for {nights}, since {self.nights[0]}: {' '.join(self.what)}" if self.nights else "judged"


def note(folder: Path, source: str, what: Sequence[str], today: date) -> Unjudged:
    """Write down what a run of today could not judge, and return it; two runs of a day are one night."""
    before = _read(_file(folder, source), source)
    nights = tuple(sorted({*before.nights, today.isoformat()})) if what else ()
    found = Unjudged(source, tuple(what), nights)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(found), indent=1) + "\n"
    write_atomically(_file(folder, source), lambda path: path.write_text(text))
    return found


def read(folder: Path) -> tuple[Unjudged, ...]:
    """Return what is written down of every source that was monitored, in order of name."""
    files = sorted(folder.glob(f"{_PREFIX}*.json"))
    return tuple(_read(file, file.stem.removeprefix(_PREFIX)) for file in files)


def _file(folder: Path, source: str) -> Path:
    return folder / f"{_PREFIX}{source}.json"


def _read(file: Path, source: str) -> Unjudged:
    if not file.exists():
        return Unjudged(source)
    try:
        content = json.loads(file.read_text())
        return Unjudged(content["source"], tuple(content["what"]), tuple(content["nights"]))
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not what monitoring writes ({error}); remove it: the count begins anew") from error
