"""A registered version as others use it: to score, to compare a new model with, or to watch.

It is apart from the assessment, because the window needs no more than this and is to start fast.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.dossier.dossier import EVALUATION, POLICY
from models.evaluation import Evaluation, figures
from models.evidence import manifest as evidence
from models.metrics import Scores
from models.policy import Policy
from models.policy import parse as parse_policy
from models.risk import RiskModel


@dataclass(frozen=True)
class Incumbent:
    """A registered version: in force, compared with a new model, or watched. `policy` is the one in its evidence."""

    version: str
    alias: str
    source: str
    manifest: evidence.Manifest
    model: RiskModel
    evaluation: Evaluation
    policy: Policy

    @classmethod
    def read(cls, version: str, alias: str, source: str, folder: Path) -> "Incumbent":
        """Read it from the version's evidence folder; ValueError if this code cannot read its policy."""
        document = json.loads((folder / EVALUATION).read_text())
        evaluation = Evaluation.model_validate(document["evaluation"])
        manifest = evidence.read((folder / evidence.MANIFEST_FILE).read_bytes())
        model = RiskModel.load(folder / evidence.MODEL_FOLDER)
        policy = parse_policy((folder / POLICY).read_bytes())
        return cls(version, alias, source, manifest, model, evaluation, policy)

    def scores(self, test: pl.DataFrame) -> Scores:
        """Return what this version says of the rows of `test`; ValueError if they lack a feature that it needs."""
        try:
            return figures.scores_of(test, self.model.predict(test))
        except ValueError as error:
            raise ValueError(
                f"{self.alias} version {self.version} cannot score the feature matrix: {error}; a feature is computed "
                "until no version in force needs it"
            ) from error
