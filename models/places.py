"""Where an installation keeps things: folders and addresses. Settings fill this record; nothing here opens anything.

tests/integration/test_folders.py tests that nothing lies anywhere else.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The places of an installation.

    `data` holds a store for each source, the selections and the second looks, and is versioned as a whole. `state`
    holds what can be computed again, and reports. `signoff` holds the secrets of the sign-off server, see
    models/ledger/keys.py. `tracking_uri` is MLflow's, and `artifact_root` the URI below which experiments keep
    artifacts.
    """

    data: Path
    state: Path
    signoff: Path
    tracking_uri: str
    artifact_root: str

    def store(self, source: str) -> Path:
        """Return the folder of a source's declarations; see features/store/store.py."""
        return self.data / source

    def selections(self, source: str) -> Path:
        """Return the folder of a source's selections; see models/targeting/selection_log.py."""
        return self.data / "selections" / source

    def second_looks(self, source: str) -> Path:
        """Return the folder of what was judged twice of a source; see models/detection/looks.py."""
        return self.data / "second_looks" / source

    def features(self, source: str, label_delay_days: int) -> Path:
        """Return the folder of a source's matrix; see features/matrix/cache.py.

        Policies that differ in the delay, as the one signed and its successor may, have a folder each: one would delete
        what the other has computed.
        """
        return self.state.absolute() / "cache" / "features" / source / f"{label_delay_days}-days"

    @property
    def networks(self) -> Path:
        """Return the folder of the networks of companies that people look at, with a folder for each source."""
        return self.state.absolute() / "cache" / "networks"

    def decided_days(self, source: str) -> Path:
        """Return the folder of what the window hands over of days that are over; see models/decisions/exports.py."""
        return self.state.absolute() / "decided" / source

    def work_lists(self, source: str) -> Path:
        """Return the folder of the officers' work lists."""
        return self.state / "reports" / "selections" / source

    def validation_pages(self, source: str) -> Path:
        """Return the folder of the validation pages of a source's batches."""
        return self.state / "reports" / "validation" / source
