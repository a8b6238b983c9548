"""Where declarations come from: one module for each source. What a source must offer is in reading.

A source brings an administration's own files to the contract's tables, batch by batch and chunk by chunk, and drops
nothing: it hands on what it cannot read, with the reason. To add a source, add one module to this package with
`open_source(inputs) -> Source`; its module name is the source's name. Validation, storage and everything downstream are
the same for all sources.
"""

import pkgutil
from collections.abc import Sequence
from importlib import import_module

from features.reading import Source

__all__ = ["names", "open_source", "simulator"]


def names() -> tuple[str, ...]:
    """Return the names of all sources.

    >>> "kcs" in names()
    True
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def open_source(name: str, inputs: Sequence[str]) -> Source:
    """Return the source called `name`, which reads `inputs` (paths or globs; each source decides what they mean).

    >>> open_source("fax", [])
    Traceback (most recent call last):
    ...
    ValueError: source 'fax' is not known; allowed: files, kcs, simulator
    """
    if name not in names():
        raise ValueError(f"source {name!r} is not known; allowed: {', '.join(names())}")
    opened: Source = import_module(f"{__name__}.{name}").open_source(inputs)
    return opened
