"""What can be said of a retraining before any work: whether it must be refused, and which world it simulates."""

from features.ingestion import worlds
from features.simulator import Parameters
from features.sources import open_source
from features.store import Store
from flows.parameters import WORLD, RetrainParameters, SourceName
from flows.settings import Settings


def settle(parameters: RetrainParameters, settings: Settings) -> RetrainParameters:
    """Return the parameters with those of the simulated world that they stand for.

    Raises ValueError or ReadError if another world is stored, an input cannot be opened, or there is nothing to train
    on.
    """
    store = Store(settings.data_folder / parameters.source.value)
    if parameters.source is SourceName.SIMULATOR:
        world = world_of(parameters, store)
        return parameters.model_copy(update={name: getattr(world, name) for name in WORLD})
    if parameters.inputs:
        open_source(parameters.source.value, parameters.inputs)
    elif not store.days():
        needed = "input" if parameters.source is SourceName.KCS else "mapping, the file that says which column is which"
        raise ValueError(
            f"source {parameters.source.value!r} needs {needed}: without it a run retrains on what is stored, and "
            f"{store.root} holds no declarations"
        )
    return parameters


def world_of(parameters: RetrainParameters, store: Store) -> Parameters:
    """Return the simulated world of a run; ValueError if the store holds another."""
    given = {name: getattr(parameters, name) for name in WORLD}
    return worlds.choose(store, {name: value for name, value in given.items() if value is not None})
