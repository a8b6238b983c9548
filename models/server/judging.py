"""What the server judges of a version before it is opened, once: everything that people would sign after seeing it.

The documents are read by their classes. The gates are judged again by the policy in force and must have passed. Card
and description are rendered again and must equal what lies there, to the byte. Code and data must exist, and the seal
must be over what is stored. What MLflow shows of version and run must be what the documents say.

A version that was opened is never judged again, since a later product renders otherwise; only its digests are checked
(stored.py). The figures themselves are taken as they are: computing them again would be training again.
"""

import json
import os
import re
import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateError

from features.store import versioning
from models import policy
from models.dossier import DRIFT, EVALUATION, POLICY, Dossier
from models.evidence import Manifest, seal, source_code
from models.evidence import manifest as evidence
from models.names import AUTHOR, CODE_COMMIT, CODE_IS_DIRTY, DATA_VERSION, EVIDENCE_DIGEST
from models.policy import Policy
from models.server import served
from models.server.admission import IDLE_S, LOGGED, RUN, Request

_SHOWN = 5  # faults shown; the version's maker mends them one by one anyway
_TUNING = re.compile(r"tuning\.(began_with|trials|kept|ran_out_of_time|first_loss|kept_loss|fold_[1-9][0-9]?)")


@dataclass(frozen=True)
class _Case:
    """All documents of a version, read."""

    request: Request
    manifest: Manifest
    dossier: Dossier

    @property
    def run(self) -> Path:
        return self.request.files / RUN

    @property
    def logged(self) -> Path:
        return self.request.files / LOGGED


def faults(request: Request) -> tuple[str, ...]:
    """Return what is wrong with a version, a sentence each; nothing if it may be opened."""
    files = request.files
    try:
        stated = seal.read(files / RUN)
        if stated is None:
            return (f"{seal.SEAL_FILE} is missing: only what is sealed is opened, so retrain",)
        manifest = evidence.read((files / RUN / evidence.MANIFEST_FILE).read_bytes())
        shown = request.shown
        found = seal.of(files / RUN, files / LOGGED, shown.params, shown.metrics)
        odd = [*seal.differences(stated, found), *_altered(request, manifest)]
        if odd:
            return tuple(odd[:_SHOWN])
        case = _Case(request, manifest, Dossier.read(_together(request)))
        judged = (*_policy(case), *_documents(case), *_origin(case), *_shown(case))
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError, TemplateError) as error:
        # If figures contradict each other so that no card can be made, another attempt would not help.
        return (f"the evidence cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",)
    return judged[:_SHOWN]


def _together(request: Request) -> Path:
    """Return the evidence folder: it has the run's files, and beside them the risk model's."""
    model = request.files / RUN / evidence.MODEL_FOLDER
    if not model.exists():
        model.symlink_to((request.files / LOGGED / seal.RISK_MODEL).resolve(), target_is_directory=True)
    return request.files / RUN


def _altered(request: Request, manifest: Manifest) -> Iterator[str]:
    """Yield faults of the manifest: it must be over the files that lie there, and they where the version says."""
    if (request.files / RUN / evidence.MODEL_FOLDER).exists():
        yield f"the run has a folder {evidence.MODEL_FOLDER}, which belongs to the logged model"
        return
    yield from evidence.verify(manifest, _together(request))
    for where, tags in (("version", request.shown.version_tags), ("run", request.shown.run_tags)):
        if tags.get(EVIDENCE_DIGEST) != manifest.digest:
            yield f"the {where} carries evidence digest {tags.get(EVIDENCE_DIGEST)}, its manifest is {manifest.digest}"


def _policy(case: _Case) -> Iterator[str]:
    """Yield faults by the policy: it must be the version's own, and every gate must have passed by it."""
    dossier, in_force = case.dossier, policy.parse(case.request.policy.encode())
    if dossier.policy != case.request.policy.encode():
        yield f"{POLICY} is not the policy in force: retrain, or start `tidewaiter up` anew if the policy was changed"
        return
    verdicts = dossier.verdicts(in_force)
    if dossier.judged.gates != verdicts:
        yield f"{EVALUATION} has other verdicts than its figures give by the policy in force"
    for gate in verdicts:
        if not gate.passed:
            yield f"gate {gate.name} failed: {gate.sentence}"
    yield from _bounds(dossier, in_force)


def _bounds(dossier: Dossier, in_force: Policy) -> Iterator[str]:
    """Yield figures that were asked for in another way than the policy does."""
    judged, drift, asked = dossier.judged, dossier.drift, in_force.evaluation
    for name, document in (("evaluation", judged.evaluation), ("burden", judged.burden)):
        if (document.confidence, document.resamples) != (asked.confidence, asked.bootstrap_resamples):
            yield f"{EVALUATION}: {name} has intervals of another confidence or from other resamples than the policy's"
    shares = {figures.share for figures in judged.evaluation.model.at_shares}
    if shares != set(asked.inspection_shares):
        yield f"{EVALUATION}: inspecting {sorted(shares)}; the policy asks for {list(asked.inspection_shares)}"
    if judged.burden.min_rows != in_force.burden.min_rows:
        yield f"{EVALUATION}: burden judges groups of {judged.burden.min_rows} rows, not {in_force.burden.min_rows}"
    if judged.detection is None or judged.detection.confidence != asked.confidence:
        yield f"{EVALUATION}: what inspections find is not told, or with another confidence than the policy's"
    bounds = {column.threshold for column in drift.columns}
    wanted = {in_force.drift.column_threshold} if drift.reference.rows else set()  # without rows nothing was compared
    if bounds != wanted or drift.max_drifted_columns != in_force.drift.max_drifted_columns:
        yield f"{DRIFT} was judged by other bounds than the policy's"


def _documents(case: _Case) -> Iterator[str]:
    """Yield differences of card, description and windows from those made again from the documents."""
    dossier, manifest = case.dossier, case.manifest
    if manifest.window != dossier.windows():
        yield f"the windows of the manifest, {manifest.window}, are not those of the model, {dossier.windows()}"
    changed, code = dossier.judged.about.uncommitted, manifest.code
    if (changed is not None, bool(changed and changed.files)) != (code.commit != source_code.NO_COMMIT, code.is_dirty):
        yield f"{EVALUATION}: what was not committed is not what the manifest says of commit {code.commit}"
    names, told = set(dossier.model.encoder.names), set(dossier.judged.about.importance)
    if names != told:
        yield f"{EVALUATION}: importance is told of other features than the model has"
        return
    texts = dossier.texts(case.run, manifest.data_version, manifest.code.commit)
    is_own = manifest.code.source_sha256 == source_code.source_digest(case.request.project)
    for name, text in texts.items():
        if (case.run / name).read_bytes() != text.encode():
            other = (
                f"was rendered by other code, commit {manifest.code.commit[:8]}, and this renders it otherwise: retrain"
            )
            yield f"{name} {'is not what is rendered from the evidence' if is_own else other}"


def _origin(case: _Case) -> Iterator[str]:
    """Yield code and data that do not exist, and served code that is another."""
    manifest, project = case.manifest, case.request.project
    code, here = manifest.code, source_code.code_state(project)
    if not versioning.exists(case.request.data, manifest.data_version, case.request.state):
        yield f"data version {manifest.data_version} is neither in the cache nor in the remote of {case.request.data}"
    with source_code.committed(code.commit, project) as committed:
        if committed is None and code.commit != source_code.NO_COMMIT:
            yield f"commit {code.commit} is not in the repository of this server: retrain"
            return
        places = [project] if code.source_sha256 == here.source_sha256 else []
        if committed and not code.is_dirty:
            # Code that claims to be a commit is compared with it, even if the same code lies here.
            places = [committed] if source_code.source_digest(committed) == code.source_sha256 else []
        if not places or (code.is_dirty and not here.is_dirty and code.commit == here.commit):
            yield "the code that made it is neither committed nor here: commit it and retrain"
            return
        if manifest.lock_sha256 not in (source_code.lock_digest(project), source_code.lock_digest(places[0])):
            yield f"{source_code.LOCK_FILE} was another than the one here or in its commit: retrain"
        yield from served.faults(case.logged, source_code.source(places[0]))


def _shown(case: _Case) -> Iterator[str]:
    """Yield what MLflow shows of version and run that the evidence does not say."""
    shown, manifest, dossier = case.request.shown, case.manifest, case.dossier
    yield from evidence.verify_description(case.run, shown.page, shown.description)
    params = {name: value for name, value in shown.params.items() if not _TUNING.fullmatch(name)}
    stated = {name: str(value) for name, value in dossier.params().items()}
    yield from _odd("parameter", params, stated)
    yield from _odd("metric", shown.metrics, dossier.metrics())
    stated = {
        DATA_VERSION: manifest.data_version,
        CODE_COMMIT: manifest.code.commit,
        CODE_IS_DIRTY: str(manifest.code.is_dirty).lower(),
        "gates": "passed",
        "failed_gates": "",
    }
    tags = {name: shown.run_tags.get(name) for name in stated}
    yield from _odd("tag of the run", tags, stated)
    own = {name: stated[name] for name in (DATA_VERSION, CODE_COMMIT, CODE_IS_DIRTY)}
    yield from _odd("tag", {name: shown.version_tags.get(name) for name in own}, own)
    authors = {tags.get(AUTHOR, "").strip() for tags in (shown.version_tags, shown.run_tags)}
    if len(authors) != 1 or "" in authors:
        yield f"version and run have the authors {', '.join(sorted(map(repr, authors)))}; allowed: one, the same"


def _odd(what: str, shown: dict[str, str | None] | dict[str, str] | dict[str, float], stated: object) -> Iterator[str]:
    assert isinstance(stated, dict)
    for name in sorted(shown.keys() | stated.keys()):
        if shown.get(name) != stated.get(name):
            yield f"{what} {name} is shown as {shown.get(name)!r}; by the evidence it is {stated.get(name)!r}"


def _answer() -> None:
    """Answer each line that asks for a judgement by a line, until nobody asks any more."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
        # The lines are read straight from the descriptor: a buffer would hide from `select` what it has read already.
        with os.fdopen(sys.stdin.fileno(), "rb", buffering=0) as questions:
            while select.select([questions], [], [], IDLE_S)[0] and (line := questions.readline()):
                print(json.dumps(faults(Request.model_validate_json(line))), file=answers, flush=True)


if __name__ == "__main__":
    _answer()
