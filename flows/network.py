"""The network flow: it brings the network of companies, which people look at, up to date with the stored data."""

from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from features.network_map import build
from features.store import Store, versioning
from flows.observed import observed, reads, writes
from flows.parameters import NetworkParameters
from flows.processes import running
from flows.progress import run_name, stage, wait
from flows.settings import Settings
from models.lineage import datasets
from models.policy import Policy
from models.workspace import Workspace, incumbents, why_empty

_DEFAULTS = NetworkParameters()


@flow(name="network")
@observed
def network(parameters: NetworkParameters = _DEFAULTS) -> build.Description:
    """Build the network of a source; where nothing has changed, it stays as it is."""
    settings = Settings()
    store = Store(settings.data_folder / parameters.source.value)
    if why := why_empty(store):
        raise LookupError(why)
    with running.turn(settings.state_folder, run_name("network"), wait):
        return build_network(settings, fetch_policy(settings, store), store)


@task(name="fetch the policy", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def fetch_policy(settings: Settings, store: Store) -> Policy:
    """Return the policy that decides about the source. Retried: MLflow may be restarting."""
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        return incumbents.policy_of(store.root.name, settings.places, Path(scratch))


@task(name="build network", cache_policy=NO_CACHE)
def build_network(settings: Settings, policy: Policy, store: Store) -> build.Description:
    """Build the network's files from what is settled for the features and what is new, and return their description."""
    version = versioning.current(settings.data_folder, settings.state_folder) or "not versioned"
    reads(datasets.data(versioning.taken(settings.data_folder, settings.state_folder)))
    with stage("Build the network"):
        description = Workspace(settings.places, policy, store.root.name).network(version)
    writes(datasets.report("networks", store.root.name, description.digest))
    return description
