"""How a model came about, as model.json keeps it. models/training/fitting.py fills it.

Tests of those who write and read it are in tests/unit/models/training/test_fitting.py and tests/integration/
test_earlier.py.
"""

from datetime import date
from typing import Any, Self

from models.document import Document
from models.risk.encoder import Codes


class LearnedPart(Document):
    """A part of the labelled rows: its first and last day of acceptance, its rows, and how many of them are hits."""

    first_day: date
    last_day: date
    rows: int
    hits: int


class LearnedParts(Document):
    """The parts of the first pass, and the rows of the second, from which the model in use has learned."""

    train: LearnedPart
    validation: LearnedPart
    final: LearnedPart


class TrainingRecord(Document):
    """The training of a model.

    `feature_code` is the digest of the code that computed the features (features/code_digest.py); None for models that
    are older than this record. `parameters` are LightGBM's; `smoothing` and `codes` are the encoder's. `detects` is the
    detection that the loss allows for, None if it takes what was not found for licit. `rounds` count trees of each
    head, and `learning_curve` holds the log loss after each round, by part.

    Where the illicit head is a bag (models/risk/bagging.py), `rounds`, `learning_curve` and `validation_log_loss` are
    those of its first member, which learned with `seed`. `further_rounds` has the rounds of the others, which learned
    with `seed` + 1 and so on.
    """

    feature_code: str | None = None
    parts: LearnedParts
    seed: int
    parameters: dict[str, Any]
    smoothing: int | float
    codes: Codes = "categories"
    detects: float | None = None
    rounds: int
    further_rounds: tuple[int, ...] = ()
    revenue_rounds: int
    critical_rounds: int
    validation_log_loss: float
    learning_curve: dict[str, list[float]]

    @property
    def bag(self) -> int:
        """Return how many boosters the illicit head is the mean of."""
        return 1 + len(self.further_rounds)

    @property
    def trees(self) -> int:
        """Return the number of trees of the illicit head."""
        return self.rounds + sum(self.further_rounds)

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Self:
        """Read what `as_json` made; ValueError (pydantic's) names a key that is missing, unknown or wrong."""
        return cls.model_validate(written)

    def as_json(self) -> dict[str, Any]:
        """Return the record in JSON values; what an older record lacked is left out, so its model keeps its digest.

        Numbers are written as they were read: a whole smoothing stays whole.
        """
        return self.model_dump(mode="json", exclude_unset=True)
