"""A Ray cluster at work. This is the only module that knows Ray.

Pieces of features are tasks, and Ray gives a task to another worker when one is lost. Tasks write files under names
that tell what is in them, so it does not matter how often one is begun. Trees are grown by LightGBM's data-parallel
learner, with a worker on each node that has a share of the rows; when one is lost, all begin anew. Every node has to
see the working folder and run the same code, which is checked first.
"""

import logging
import socket
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from features.code_digest import code_version
from features.progress import Progress
from flows.compute.engine import ClusterError
from models.risk import boosting

ATTEMPTS = 3  # at a piece of work, and at growing trees
_LISTENS_MINUTES = 2  # to wait for the others of a network; after that one of them is gone
_ANSWERS_SECONDS = 60.0
_STARTS_SECONDS = 180.0  # a node that is busy takes its time to start a worker


@dataclass(frozen=True)
class Cluster:
    """The cluster that this process is connected to."""

    def run(self, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterable[Any]:
        """Yield results in the order in which they are ready; the first failure ends it."""
        shared, task = ray.put(work), ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_do)
        waiting: list[Any] = [task.remote(shared, piece) for piece in pieces]
        try:
            while waiting:
                (ready, *_), waiting = ray.wait(waiting)
                yield ray.get(ready)
        except RayTaskError:
            raise  # the work's own failure, which another worker would meet too
        except RayError as error:
            raise ClusterError(f"features: a piece of work was begun {ATTEMPTS} times, and lost: {error}") from error
        finally:
            for rest in waiting:
                ray.cancel(rest, force=True)

    def grow(
        self, fit: Callable[..., boosting.Result], rows: boosting.Rows, on_round: Progress | None
    ) -> boosting.Result:
        """Run `fit` on a worker of each node. Progress is not reported."""
        lost: RayError | None = None
        for _ in range(ATTEMPTS):
            try:
                return _grow(_nodes(), fit, rows)
            except RayTaskError:
                raise
            except RayError as error:
                lost = error
        raise ClusterError(f"training was begun {ATTEMPTS} times, and each time a worker was lost: {lost}") from lost


@contextmanager
def connected(address: str, state: Path, data: Path) -> Generator[Cluster]:
    """Connect to the cluster at `address`, of which this machine is a node; all nodes share both folders."""
    host, _, port = address.rpartition(":")
    try:
        # Ray itself would try for minutes.
        socket.create_connection((host, int(port)), _ANSWERS_SECONDS).close()
        ray.init(address, logging_level=logging.WARNING, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(f"no Ray cluster at {address} that this machine is a node of: {error}") from error
    try:
        state.mkdir(parents=True, exist_ok=True)
        # The marker has a name of its own: a folder of that name may exist on a node, and be another.
        with NamedTemporaryFile(dir=state, prefix=".shared-") as marker:
            _check(_nodes(), [Path(marker.name), data])
        yield Cluster()
    finally:
        ray.shutdown()


def _nodes() -> list[str]:
    """Return the ids of the nodes that work."""
    found = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not found:
        raise ClusterError("no node of the cluster has a processor to work with")
    return sorted(found)


def _check(nodes: Sequence[str], shared: Sequence[Path]) -> None:
    look = ray.remote(num_cpus=1, max_retries=0)(_look)
    asked = {node: look.options(**_on(node)).remote(shared) for node in nodes}
    for node, answer in asked.items():
        try:
            name, absent, version = ray.get(answer, timeout=_STARTS_SECONDS)
        except RayError as error:
            raise ClusterError(f"node {node} does not answer, or lacks this project: {error}") from error
        if absent:
            raise ClusterError(f"node {name} does not see {absent[0]}; all nodes share the state and data folders")
        if version != code_version():
            raise ClusterError(f"node {name} computes features by other code, or another Polars, than this machine")


def _look(shared: Sequence[Path]) -> tuple[str, list[Path], str]:
    return socket.gethostname(), [path for path in shared if not path.exists()], code_version()


def _do(work: Callable[[Any], Any], piece: Any) -> Any:  # noqa: ANN401
    return work(piece)


def _on(node: str) -> dict[str, Any]:
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


class _Worker:
    """A worker of a network that grows trees together."""

    def place(self) -> tuple[str, int]:
        """Return where the others will find this one: a host, and a port that is free."""
        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), free.getsockname()[1]

    def fit(
        self, fit: Callable[..., boosting.Result], rows: boosting.Rows, network: boosting.Machines
    ) -> boosting.Result:
        return fit(rows=rows, network=network)


def _grow(nodes: Sequence[str], fit: Callable[..., boosting.Result], rows: boosting.Rows) -> boosting.Result:
    worker: Any = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
    workers = [worker.options(**_on(node)).remote() for node in nodes]
    try:
        places = ray.get([each.place.remote() for each in workers], timeout=_ANSWERS_SECONDS)
        machines, shared = ",".join(f"{host}:{port}" for host, port in places), ray.put(fit)
        results = [
            each.fit.remote(shared, rows.share(number, len(workers)), _network(machines, len(workers), port))
            for number, (each, (_, port)) in enumerate(zip(workers, places, strict=True))
        ]
        waiting = results
        while waiting:
            (ready, *_), waiting = ray.wait(waiting)
            ray.get(ready)  # raises as soon as one is lost; the others would wait for it
        return ray.get(results[0])
    finally:
        for each in workers:
            ray.kill(each)


def _network(machines: str, workers: int, port: int) -> boosting.Machines:
    return {
        "tree_learner": "data",
        "pre_partition": True,
        "machines": machines,
        "num_machines": workers,
        "local_listen_port": port,
        "time_out": _LISTENS_MINUTES,
    }
