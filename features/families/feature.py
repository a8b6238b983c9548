"""What a feature is, and how it describes itself to whoever trains on it, explains it, watches it or replays it."""

from dataclasses import dataclass
from typing import Literal

from features.families.sentences import Sentences


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    `kind`: numeric columns are Float32 with null for unknown, categorical ones String. `as_of` says in words what the
    value may rest on.

    `entity`: the columns of the contract that name whom or what it speaks of. `measure` says what is measured, and
    `window_days` over how many days before, 0 where there is no window; with the entity they tell a feature from every
    other. `group`: features of one group say the same thing to an officer. `sentences`: those that state it, or the
    name of those in models/reasons/sentences.py that state it beside others of the row.
    `rests_on_outcomes`: whether another result of an inspection could change it. `drift`: on what scale it is compared
    with what a model was trained on, or by its categories; None where nobody watches it. `inspections`: of a smoothed
    rate whose smoothing a model may choose, the feature that counts the inspections behind it.

    ValueError where it has no entity.
    """

    name: str
    family: str
    kind: Literal["numeric", "categorical"]
    meaning: str
    as_of: str
    entity: tuple[str, ...]
    measure: str
    group: str
    sentences: Sentences | str
    window_days: int = 0
    rests_on_outcomes: bool = False
    drift: Literal["linear", "log", "categories"] | None = None
    inspections: str | None = None

    def __post_init__(self) -> None:
        if not self.entity:
            raise ValueError(f"feature {self.name!r} has no entity; allowed: at least one column of the contract")
