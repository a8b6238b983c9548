"""Simulated customs declarations: seeded, the same to the byte everywhere, with planted fraud and its inspections.

Other rooms use `generate` (the contract's tables) and `Parameters`; `simulate` and `companies` show what is behind
them. docs/simulator.md tells what is realistic and what is not.
"""

from features.progress import Progress
from features.simulator.deliveries import deliver
from features.simulator.frames import Tables, build, companies
from features.simulator.world import Parameters, World, simulate

__all__ = ["Parameters", "Tables", "World", "build", "companies", "deliver", "generate", "simulate"]


def generate(parameters: Parameters, on_progress: Progress | None = None) -> Tables:
    """Return all that `parameters` simulate; column `arrives` is the number of the month whose file brings the row."""
    world = simulate(parameters, on_progress)
    return deliver(build(world, parameters.seed), world, parameters)
