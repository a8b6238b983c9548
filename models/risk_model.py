"""The model that is put to work: two boosters, a calibration and the value of a hit, saved as text and JSON.

Nothing here learns; see models/train.py.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import polars as pl

from features.contract import KEY
from models import boosting
from models.calibration import Calibration
from models.encoding import Encoder
from models.revenue import RevenueModel

ILLICIT_FILE, REVENUE_FILE, MODEL_FILE = "illicit.txt", "revenue.txt", "model.json"
OUTPUTS = ("score", "expected_revenue", "priority")
FORMAT = 1


@dataclass(frozen=True)
class RiskModel:
    """`score` is calibrated P(illicit); `expected_revenue` is score times the revenue of a hit, in the currency of
    training; `priority` is expected_revenue plus score times `hit_value`, and what a selection ranks by.

    `hit_value` keeps hits that recover little, such as prohibited goods, from counting for nothing. `training` tells
    how the model came about: parameters, rounds, rows, windows; plain JSON values.
    """

    encoder: Encoder
    illicit: lgb.Booster
    calibration: Calibration
    revenue: RevenueModel
    hit_value: float
    training: dict[str, Any]

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """declaration_id, item_number, score, expected_revenue, priority for each row of `frame`, in its order.

        `frame` has the key and the features; ValueError names a feature that is missing or of the wrong type.
        """
        matrix = self.encoder.encode(frame)
        score = self.calibration(boosting.predict(self.illicit, matrix))
        expected = score * self.revenue(frame, matrix)
        values = (score, expected, expected + score * self.hit_value)
        outputs = [pl.Series(name, value, pl.Float64) for name, value in zip(OUTPUTS, values, strict=True)]
        return frame.select(KEY).with_columns(outputs)

    def contributions(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Key, and what each feature adds to the raw log-odds of a row, with their common start as `baseline`.

        A row's features and baseline add up to the booster's raw margin (before calibration).
        """
        shares = boosting.contributions(self.illicit, self.encoder.encode(frame))
        columns = [*self.encoder.names, "baseline"]
        return frame.select(KEY).with_columns(pl.Series(name, shares[:, i]) for i, name in enumerate(columns))

    @property
    def digest(self) -> str:
        """SHA-256 of model.json, which holds those of the boosters: the model's identity."""
        return hashlib.sha256(self._files()[MODEL_FILE]).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the model's files. model.json comes last: a folder without it holds no model."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self._files().items():
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
            description["hit_value"],
            description["training"],
        )

    def _files(self) -> dict[str, bytes]:
        """Content of each file by name, model.json last."""
        files = {ILLICIT_FILE: self.illicit.model_to_string().encode()}
        if self.revenue.booster is not None:
            files[REVENUE_FILE] = self.revenue.booster.model_to_string().encode()
        description = {
            "format": FORMAT,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
            "encoder": self.encoder.as_json(),
            "calibration": self.calibration.as_json(),
            "revenue": self.revenue.as_json(),
            "hit_value": self.hit_value,
            "training": self.training,
        }
        return files | {MODEL_FILE: (json.dumps(description, indent=1, allow_nan=False) + "\n").encode()}


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path} is missing; a saved model has {MODEL_FILE}, {ILLICIT_FILE} and mostly {REVENUE_FILE}")
    return path.read_bytes()


def _booster(path: Path, digest: str) -> lgb.Booster:
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} is not the file that {MODEL_FILE} names (SHA-256 {digest}); it was changed")
    return lgb.Booster(model_str=content.decode())
