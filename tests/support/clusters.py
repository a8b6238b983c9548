"""Ray clusters of several nodes, all of them on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

STORE_BYTES = 80 * 2**20


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """Run a head that does no work itself, and `workers` nodes with a processor each."""
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False},
    )
    try:
        for _ in range(workers):
            made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        yield made
    finally:
        made.shutdown()
