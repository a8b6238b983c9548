"""What a version may hold, in one place: the documents of an evidence folder, typed, and what is rendered from them.

Registration writes these documents and renders card and description from them; the server (models/server/judging.py)
reads them and renders again. So nothing may be said of a version that its documents do not say.

assessment.py computes the figures.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from features.matrix import CATALOGUE
from features.store import BatchRecord
from models import burden, policy
from models.backtesting import side_by_side
from models.burden import BurdenReport
from models.detection import Detection
from models.document import Document
from models.dossier import card, committed_code
from models.evaluation import Evaluation, Gate, gates
from models.evidence import digests, manifest
from models.evidence.source_code import Uncommitted
from models.monitoring import DriftResult
from models.names import MODEL
from models.policy import Policy
from models.risk import RiskModel, risk_model

CARD = "card.md"
EVALUATION, DRIFT, VALIDATION, POLICY = "evaluation.json", "drift.json", "validation.json", "policy.toml"
# The card names these documents by digest, so that it belongs to them to the last figure.
_NAMED = (EVALUATION, DRIFT, VALIDATION, POLICY, f"{manifest.MODEL_FOLDER}/{risk_model.MODEL_FILE}")

_Kind = TypeVar("_Kind", bound=BaseModel)


class About(Document):
    """Holds what the card tells besides figures.

    That is where the rows are from, the mean absolute contribution of each feature to the log-odds, how the making of
    the model differs from that of the champion, in a few words each, how many labelled rows were left out for their day
    (features/facts/stretches.py), and what of the code was not committed; None if nobody can say. `imported` says which
    version of another installation it was, and is empty for a model that was made here.
    """

    source: str
    importance: dict[str, float]
    changes: tuple[str, ...]
    stray: int = 0
    uncommitted: Uncommitted | None = None
    imported: str = ""


class Judged(Document):
    """The content of evaluation.json: figures, verdicts, whom inspections affect, and what it would have changed.

    `detection` says how much inspections find; versions that are older than this estimate have None.
    """

    about: About
    evaluation: Evaluation
    gates: tuple[Gate, ...]
    burden: BurdenReport
    rehearsal: side_by_side.SideBySide | side_by_side.NotRehearsed
    detection: Detection | None = None


class Validation(Document):
    """The content of validation.json: what each batch of the data brought, in order of arrival."""

    batches: tuple[BatchRecord, ...]


@dataclass(frozen=True)
class Dossier:
    """The documents of one version. `policy` is the policy file's bytes."""

    judged: Judged
    drift: DriftResult
    validation: Validation
    policy: bytes
    model: RiskModel

    @classmethod
    def read(cls, folder: Path) -> "Dossier":
        """Read an evidence folder; ValueError names the document that its class does not take, or writes otherwise."""
        try:
            found = cls(
                _parsed(Judged, folder / EVALUATION),
                _parsed(DriftResult, folder / DRIFT),
                _parsed(Validation, folder / VALIDATION),
                (folder / POLICY).read_bytes(),
                RiskModel.load(folder / manifest.MODEL_FOLDER),
            )
        except (KeyError, TypeError, AttributeError) as error:  # model.json is read without a class of its own
            raise ValueError(f"{manifest.MODEL_FOLDER}/ is not a risk model: {error!r}") from error
        for name, content in found._documents().items():
            if (folder / name).read_bytes() != content:
                raise ValueError(f"{name} is not written as its class writes it")
        for path in (folder / manifest.MODEL_FOLDER).iterdir():
            if not path.is_file() or found.model.files.get(path.name) != path.read_bytes():
                raise ValueError(f"{manifest.MODEL_FOLDER}/{path.name} is not written as the risk model writes it")
        return found

    def write(self, folder: Path, data_version: str, code_commit: str) -> None:
        """Write the documents into an evidence folder, with card and description."""
        self.model.save(folder / manifest.MODEL_FOLDER)
        for name, content in self._documents().items():
            (folder / name).write_bytes(content)
        for name, text in self.texts(folder, data_version, code_commit).items():
            (folder / name).write_text(text, encoding="utf-8")

    def texts(self, folder: Path, data_version: str, code_commit: str) -> dict[str, str]:
        """Return card and description, rendered from the documents, which lie in `folder`."""
        judged, signed = self.judged, self.in_force()
        subject = card.Subject(
            model=MODEL,
            source=judged.about.source,
            data_version=data_version,
            code_commit=code_commit,
            uncommitted=judged.about.uncommitted,
            train=self.model.training.parts.train,
            validation=self.model.training.parts.validation,
            final=self.model.training.parts.final,
            features=[feature for feature in CATALOGUE if feature.name in self.model.encoder.names],
            importance=judged.about.importance,
            drift=self.drift.verdict,
            changes=judged.about.changes,
            signoff=signed.signoff.steps,
            selection_share=signed.targeting.at_share,
            is_simulated=bool(judged.evaluation.schemes),
            stray=judged.about.stray,
            imported=judged.about.imported,
            currency=judged.burden.currency,
            detection=judged.detection,
            documents={name: digests.file_digest(folder / name) for name in _NAMED},
        )
        whole = card.render(subject, judged.evaluation, judged.gates, judged.burden, judged.rehearsal)
        places = card.Addresses(manifest.RUN_PAGE, manifest.RUN_FILE)
        short = card.describe(subject, judged.evaluation, judged.gates, judged.rehearsal, places)
        return {CARD: whole, manifest.DESCRIPTION: short}

    def in_force(self) -> Policy:
        """Return the policy that the version was made by."""
        return policy.parse(self.policy)

    def verdicts(self, bounds: Policy) -> tuple[Gate, ...]:
        """Return every gate's verdict, by a policy."""
        return verdicts(self.judged.evaluation, self.judged.burden, self.judged.about.uncommitted, bounds)

    def metrics(self) -> dict[str, float]:
        """Return the figures that MLflow shows of the run."""
        judged = self.judged
        found = (judged.evaluation.figures(), self.drift.metrics(), judged.burden.metrics(), judged.rehearsal.metrics())
        return {name: float(value) for each in found for name, value in each.items()}

    def params(self) -> dict[str, str | int | float | bool]:
        """Return the parameters that MLflow shows of the run, without the tuning's, which are no part of the model."""
        model = self.model
        return {
            "source": self.judged.about.source,
            **{f"window.{name}": window for name, window in self.windows().items()},
            **{f"lightgbm.{name}": value for name, value in model.training.parameters.items()},
            "seed": model.training.seed,
            "rounds": model.training.rounds,
            "revenue_rounds": model.training.revenue_rounds,
            "critical_rounds": model.training.critical_rounds,
            "calibration": model.calibration.kind,
            "features": len(model.encoder.names),
            "hit_value": model.hit_value,
            "model_digest": model.digest,
            "smoothing": model.encoder.smoothing,
            # Runs that are older than these choices do not name them, and are judged by what is returned here.
            **({} if model.training.detects is None else {"detects": model.training.detects}),
            **({} if model.encoder.codes == "categories" else {"codes": model.encoder.codes}),
            **({} if model.training.bag == 1 else {"bag": model.training.bag}),
        }

    def windows(self) -> dict[str, str]:
        """Return the parts of the time span, first and last day: "2024-01-01/2024-06-30"."""
        tested = self.judged.evaluation
        parts = self.model.training.parts
        return {
            "train": f"{parts.train.first_day}/{parts.train.last_day}",
            "validation": f"{parts.validation.first_day}/{parts.validation.last_day}",
            "test": f"{tested.first_day}/{tested.last_day}",
        }

    def _documents(self) -> dict[str, bytes]:
        typed = {EVALUATION: self.judged, DRIFT: self.drift, VALIDATION: self.validation}
        return {**{name: _written(document) for name, document in typed.items()}, POLICY: self.policy}


def verdicts(
    evaluation: Evaluation, load: BurdenReport, uncommitted: Uncommitted | None, bounds: Policy
) -> tuple[Gate, ...]:
    """Return every gate's verdict, in the policy's order; `uncommitted` is what differs from the commit, if known."""
    of_code = (committed_code.judge(uncommitted),) if bounds.gates.committed_code else ()
    return (*gates.judge(evaluation, bounds.gates), *of_code, *burden.judge(load, bounds.burden))


def validation_of(document: Mapping[str, Any]) -> Validation:
    """Return the document that a store tells of its batches."""
    return Validation.model_validate(document)


def _written(document: BaseModel) -> bytes:
    # The order is that of the class, and of the policy where it names lanes, since the card has it so.
    return (json.dumps(document.model_dump(mode="json"), indent=1) + "\n").encode()


def _parsed(kind: type[_Kind], path: Path) -> _Kind:
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path.name}: {where}: {first['msg']}") from error
