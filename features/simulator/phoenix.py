"""Companies that are caught, close, and rise again under another name with the same sellers or declarant."""

from dataclasses import dataclass, fields, replace

import numpy as np

from features.arrays import Ints
from features.simulator.draws import pick
from features.simulator.entities import HABITUAL, NOBODY, PHOENIX, Importers, Lanes, declarants_of

_HITS = 2  # the known hits after which a company sees that it is marked
_CLOSES = 0.5


@dataclass(frozen=True)
class Register:
    """Risen companies: importer, predecessor, second at which the latter's last hit was known, founding day."""

    importer: Ints
    predecessor: Ints
    caught: Ints
    founded: Ints


def nobody() -> Register:
    empty = np.empty(0, np.int64)
    return Register(empty, empty, empty, empty)


def marked(importers: Importers, hits: Ints, fresh: Ints) -> Ints:
    """Return the importers with `fresh` hits that have reason to close: offenders with enough known hits."""
    candidates = np.unique(fresh)
    offends = np.isin(importers.kind[candidates], (HABITUAL, PHOENIX))
    return candidates[offends & (hits[candidates] >= _HITS)]


def rise(
    rng: np.random.Generator, importers: Importers, lanes: Lanes, marks: Ints, caught: Ints, today: int, rows: int
) -> tuple[Importers, Lanes, Register]:
    """Return importers and lanes after some of `marks` close and come back, and who replaced whom.

    `caught` is when the last hit of each was known. A company that closes does so within three weeks of `today`, and
    its successor opens after that.
    """
    closing = np.flatnonzero((rng.random(len(marks)) < _CLOSES) & (importers.death[marks] > today + 21))
    n = len(closing)
    old = marks[closing]
    end = today + rng.integers(2, 21, n)
    founded = end + rng.integers(3, 35, n)
    new = len(importers.weight) + np.arange(n, dtype=np.int64)
    risen = Importers(
        birth=founded,
        death=founded + rng.integers(120, 700, n),
        weight=importers.weight[old],
        kind=np.full(n, PHOENIX, np.int64),
        favourite=importers.favourite[old],
    )
    ended = importers.death.copy()
    ended[old] = end

    successor = np.full(len(importers.weight), -1, np.int64)
    successor[old] = np.arange(n)
    index = np.flatnonzero((successor[lanes.importer] >= 0) & (lanes.death > today))
    of = successor[lanes.importer[index]]
    copied = lanes.taken(index)
    # Some get another declarant, but none with a lane that names no seller: something must tie the two companies
    # together.
    has_nameless = np.bincount(of, copied.seller == NOBODY, n) > 0
    changes = ((rng.random(n) < 0.3) & ~has_nameless)[of]
    other = pick(rng, np.ones(declarants_of(rows)), n)[of]
    copied = replace(
        copied,
        importer=new[of],
        birth=founded[of],
        death=risen.death[of],
        weight=copied.weight * 0.9,
        declarant=np.where(changes, other, copied.declarant),
    )
    death = lanes.death.copy()
    death[index] = np.minimum(death[index], end[of])
    grown = Importers(
        *(
            np.concatenate([getattr(replace(importers, death=ended), f.name), getattr(risen, f.name)])
            for f in fields(risen)
        )
    )
    return grown, replace(lanes, death=death).joined(copied), Register(new, old, caught[closing], founded)


def joined(parts: list[Register]) -> Register:
    return Register(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Register)))
