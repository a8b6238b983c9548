"""Where features are computed and trees are grown: in this process, or on a Ray cluster (cluster.py)."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from features.matrix import cache
from flows.settings import Engine, Settings
from models.risk import boosting


class ClusterError(RuntimeError):
    """The cluster cannot be used, or was lost at work. The message says which node and why."""


@dataclass(frozen=True)
class Workforce:
    """The functions that compute features and grow trees."""

    run: cache.Runner = cache.one_after_another
    grow: boosting.Grow = boosting.alone


@contextmanager
def workforce(engine: Engine, address: str | None, settings: Settings) -> Generator[Workforce]:
    """Open the workforce of `engine`.

    A cluster is found at `address`, and all of its nodes share this machine's working folders.
    """
    if engine is Engine.EMBEDDED:
        yield Workforce()
        return
    if address is None:
        raise ClusterError("engine 'ray' needs the cluster's address, as 10.0.0.5:6379: --address or ray_address")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        from flows.compute import cluster
    except ImportError as error:
        raise ClusterError(f"engine 'ray' needs the package ray, the extra 'ray' of this project ({error})") from error
    with cluster.connected(address, settings.state_folder.absolute(), settings.data_folder.absolute()) as found:
        yield Workforce(found.run, found.grow)
