"""Which simulated world a store holds, so that a second one is never added to it.

Two worlds in one store would be declarations of a place that never was: the ids of companies are the same, but the
companies are not. The store keeps the parameters of its world (`Manifest.world`) from its first batch on. An older
store does not have them, and only its files show whether it holds a given world.
"""

from collections.abc import Iterable, Mapping

from features.reading import Batch
from features.simulator import Parameters, Preset
from features.sources import simulator
from features.store import Store

_ASKED = ("rows", "months", "seed", "preset")
_ANOTHER = "Two worlds in one store are neither: set TIDEWAITER_DATA_FOLDER to another folder for another world"


def choose(store: Store, asked: Mapping[str, int | Preset]) -> Parameters:
    """Return the world that the store holds or, if it holds none that is known, that of `asked` and the defaults.

    `asked` has any of rows, months, seed and preset. Raises ValueError if the store holds another world.
    """
    world = store.manifest().world
    if world is None:
        return Parameters.model_validate(asked)
    held = Parameters.model_validate(world)
    differing = [name for name in _ASKED if name in asked and asked[name] != getattr(held, name)]
    if differing:
        wanted = ", ".join(f"{name} {asked[name]}" for name in differing)
        raise ValueError(
            f"{wanted}: {store.root} holds the simulated world of {told(held)}. {_ANOTHER}, or leave out rows, months, "
            "seed and preset to go on with the one that is there"
        )
    return held


def refuse_other(store: Store, source: simulator.SimulatorSource, declared_since: Iterable[Batch] = ()) -> None:
    """Raise ValueError if the store has a file that is not of the source's world, as today's simulator makes it.

    The files `declared_since` are what was declared in this world, and found there, on days that were not simulated.
    """
    if not store.batches:
        return
    own = {batch.sha256 for batch in (*source.batches(), *declared_since)}
    other = next((batch.file for batch in store.batches if batch.sha256 not in own), None)
    if other is None:
        return
    world = store.manifest().world
    if world is None:
        raise ValueError(
            f"{store.root} holds {other} of a simulated world that it does not name, which is not the one of "
            f"{told(source.parameters)}. {_ANOTHER}, or give the rows, months, seed and preset of the world "
            "that is there"
        )
    raise ValueError(
        f"{store.root} holds the simulated world of {told(source.parameters)} as another simulator or other libraries "
        f"made it: {other} is not what is made today. {_ANOTHER}, or go back to the code that made it"
    )


def told(world: Parameters) -> str:
    """Return a world in words; one that names no preset is plain.

    >>> told(Parameters())
    'rows 200000, months 18, seed 20240229'
    >>> told(Parameters(preset=Preset.UNKIND))
    'rows 200000, months 18, seed 20240229, preset unkind'
    """
    return ", ".join(f"{name} {value}" for name, value in world.model_dump(mode="json", include={*_ASKED}).items())
