"""Trains a version's model again, as a program: `python -m models.reproduction.retraining EVIDENCE DATA SOURCE OUT`.

It is run with the code and the libraries of that version, by whatever code asks for it. So the order of its arguments,
and that OUT has the model's files in the end, do not change.
"""

import sys
from pathlib import Path

from features.matrix import CATALOGUE
from models import policy
from models.dossier import POLICY
from models.evidence import manifest
from models.places import Places
from models.risk import RiskModel
from models.targeting import selection_log
from models.training import splits, train, tuning
from models.workspace import Workspace


def retrain(evidence: Path, data: Path, source: str, out: Path) -> RiskModel:
    """Return the model that the data give, by the policy and the tuning of the version whose `evidence` this is.

    The search that found the tuning is not made again: it began where the version before had ended. `data` is the data
    folder as it was; features are computed anew, below `out`.
    """
    signed = policy.parse((evidence / POLICY).read_bytes())
    record = RiskModel.load(evidence / manifest.MODEL_FOLDER).training
    places = Places(data=data, state=out, signoff=out, tracking_uri="", artifact_root="")
    workspace = Workspace(places, signed, source)
    known = workspace.dataset(workspace.features())
    dataset = selection_log.with_probabilities(known, workspace.selections.read())
    split = splits.split_by_time(dataset, signed.training, signed.features.label_delay_days)
    return train(
        split.train,
        split.validation,
        CATALOGUE,
        signed.training,
        signed.targeting,
        final_frame=split.before_test,
        tuning=tuning.reused(record),
        detects=workspace.detects(split.windows["test"][0]),
    )


def main(evidence: str, data: str, source: str, out: str) -> None:
    retrain(Path(evidence), Path(data), source, Path(out)).save(Path(out) / manifest.MODEL_FOLDER)


if __name__ == "__main__":
    main(*sys.argv[1:])
