"""The model that is put to work: its three heads, and how they make one priority; it is saved as text and JSON.

Nothing here learns; see models/training/fitting.py.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl

from features.contract import KEY
from models.risk import boosting
from models.risk.calibration import Calibration
from models.risk.critical import CriticalModel
from models.risk.encoder import Encoder, Matrix
from models.risk.revenue import RevenueModel
from models.risk.training_record import TrainingRecord

ILLICIT_FILE, REVENUE_FILE, CRITICAL_FILE, MODEL_FILE = "illicit.txt", "revenue.txt", "critical.txt", "model.json"
RANKING = ("score", "expected_revenue", "priority")
OUTPUTS = (*RANKING, "critical", "revenue_if_illicit", "revenue_low", "revenue_high")
CRITICAL_FIRST = 1e15  # above any amount that the contract allows, and a double can still tell units apart there
FORMAT = 3
_PART_ROWS = 100_000


@dataclass(frozen=True)
class RiskModel:
    """The model with its three heads, and what its outputs mean.

    `score` is calibrated P(found): the chance that an inspection finds an infringement, which is less than that there
    is one. `critical` is P(critical), in the same sense. `revenue_if_illicit` is what the item would recover as a hit,
    in the currency of training, with bounds `revenue_low` and `revenue_high`; `expected_revenue` is score times it.

    `priority` is what a selection ranks by: expected_revenue plus score times `hit_value`, which keeps precision from
    being sold for money. Goods whose `critical` reaches `critical_probability` go before all others: their priorities
    are `CRITICAL_FIRST` and above, the likelier first.
    """

    encoder: Encoder
    illicit: lgb.Booster
    calibration: Calibration
    revenue: RevenueModel
    critical: CriticalModel
    critical_probability: float
    hit_value: float
    training: TrainingRecord

    def predict(self, frame: pl.DataFrame, matrix: Matrix | None = None) -> pl.DataFrame:
        """Return the key and `OUTPUTS` for each row of `frame`, in its order.

        `frame` has the key and the features; ValueError names a feature that is missing or of the wrong type. `matrix`
        is `frame`, encoded, for a caller who has that already.
        """
        if matrix is not None:
            return self._predict(frame, matrix)
        # It works in parts, because the matrix of all rows would be as large again as the frame.
        parts = frame.iter_slices(_PART_ROWS) if frame.height else [frame]
        return pl.concat(self._predict(part, self.encoder.encode(part)) for part in parts)

    def _predict(self, frame: pl.DataFrame, matrix: Matrix) -> pl.DataFrame:
        score = self.calibration(boosting.predict(self.illicit, matrix))
        revenue = self.revenue(frame, matrix)
        critical = self.critical(score, matrix)
        value = score * (revenue + self.hit_value)
        priority = np.where(critical >= self.critical_probability, CRITICAL_FIRST * (1 + critical), value)
        values = (score, score * revenue, priority, critical, revenue, *self.revenue.bounds(revenue))
        outputs = [pl.Series(name, value, pl.Float64) for name, value in zip(OUTPUTS, values, strict=True)]
        return pl.DataFrame([*frame[list(KEY)], *outputs])

    def contributions(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the key, what each feature adds to a row's raw log-odds, and their common start as `baseline`.

        A row's features and baseline add up to the booster's raw margin (before calibration).
        """
        shares = boosting.contributions(self.illicit, self.encoder.encode(frame))
        columns = [*self.encoder.names, "baseline"]
        return frame.select(KEY).with_columns(pl.Series(name, shares[:, i]) for i, name in enumerate(columns))

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of model.json, which holds those of the boosters: it identifies the model."""
        return hashlib.sha256(self.files[MODEL_FILE]).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the model's files. model.json comes last: a folder without it holds no model."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> "RiskModel":
        """Read what `save` wrote; ValueError where a file is missing, changed, or of another format."""
        description = json.loads(_read(folder / MODEL_FILE))
        if description["format"] != FORMAT:
            raise ValueError(f"{folder / MODEL_FILE}: format is {description['format']}; allowed: {FORMAT}")
        boosters = {name: _booster(folder / name, digest) for name, digest in description["files"].items()}
        return cls(
            Encoder.from_json(description["encoder"]),
            boosters[ILLICIT_FILE],
            Calibration.from_json(description["calibration"]),
            RevenueModel(**description["revenue"], booster=boosters.get(REVENUE_FILE)),
            CriticalModel.from_json(description["critical"], boosters.get(CRITICAL_FILE)),
            description["critical_probability"],
            description["hit_value"],
            TrainingRecord.from_json(description["training"]),
        )

    @property
    def files(self) -> dict[str, bytes]:
        """Return the content of each file by name, model.json last."""
        files = {ILLICIT_FILE: self.illicit.model_to_string().encode()}
        if self.revenue.booster is not None:
            files[REVENUE_FILE] = self.revenue.booster.model_to_string().encode()
        if self.critical.booster is not None:
            files[CRITICAL_FILE] = self.critical.booster.model_to_string().encode()
        description = {
            "format": FORMAT,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
            "encoder": self.encoder.as_json(),
            "calibration": self.calibration.as_json(),
            "revenue": self.revenue.as_json(),
            "critical": self.critical.as_json(),
            "critical_probability": self.critical_probability,
            "hit_value": self.hit_value,
            "training": self.training.as_json(),
        }
        return files | {MODEL_FILE: (json.dumps(description, indent=1, allow_nan=False) + "\n").encode()}


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(
            f"{path} is missing; a saved model has {MODEL_FILE} and the boosters that it names, {ILLICIT_FILE} always"
        )
    return path.read_bytes()


def _booster(path: Path, digest: str) -> lgb.Booster:
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} is not the file that {MODEL_FILE} names (SHA-256 {digest}); it was changed")
    return lgb.Booster(model_str=content.decode())
