"""What a feature is, and the list of all of them, in the matrix's order."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    `kind`: numeric columns are Float32 with null for unknown, categorical ones String. `as_of` says in words what the
    value may rest on.
    """

    name: str
    family: str
    kind: Literal["numeric", "categorical"]
    meaning: str
    as_of: str
