"""The network flow: brings the network of companies, which people look at, up to date with what is stored."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from features import versioning
from features.graph import build
from features.graph.build import Description
from features.store import Store
from flows import running
from flows.parameters import NetworkParameters
from flows.progress import stage
from flows.settings import Settings
from models.policy import load as load_policy

_DEFAULTS = NetworkParameters()


@flow(name="network")
def network(parameters: NetworkParameters = _DEFAULTS) -> Description:
    """Build the network of a source; where nothing has changed, it stays as it is."""
    settings = Settings()
    store = Store(settings.data_folder / parameters.source.value)
    if not store.days():
        raise LookupError(f"{store.root} holds no declarations; retrain on source {store.root.name} first")
    with running.turn(settings.state_folder, lambda: stage("Wait for another run to end")):
        return build_network(settings, store)


@task(name="build network", cache_policy=NO_CACHE)
def build_network(settings: Settings, store: Store) -> Description:
    """The network's files, from what is settled for the features and what is new."""
    state, source = settings.state_folder.absolute(), store.root.name
    with stage("Build the network"):
        return build.build(
            store,
            load_policy().features.label_delay_days,
            state / "cache" / "features" / source,
            settings.networks_folder / source,
            versioning.current(settings.data_folder) or "not versioned",
        )
