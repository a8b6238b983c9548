"""What stands behind the version that decided: who signed it, over which evidence, and that this names the model."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from mlflow.exceptions import MlflowException

from models.evidence import Manifest, manifest
from models.ledger import Case
from models.risk import risk_model
from models.trace.ledger import Ledger
from models.trace.links import HELD, Broken, Link, NotChecked, judged

_MODEL_FILE = f"{manifest.MODEL_FOLDER}/{risk_model.MODEL_FILE}"
_UNREAD = "the ledger could not be read whole"

# From which row of the ledger to which one decided, by the ledger's clock; None where no row comes before, or after.
Span = tuple[datetime | None, datetime | None]


class Signer(msgspec.Struct, frozen=True):
    """Names somebody whose signature counted when the version was promoted."""

    user: str
    step: str
    at: datetime
    reason: str


class Model(msgspec.Struct, frozen=True):
    """Names the model that was asked: its version and digest, as the decision has them, and what is signed of it.

    What the ledger or the evidence would have said is empty where they could not be read whole.
    """

    version: str
    digest: str
    evidence: str = ""
    promoted_at: datetime | None = None
    signers: tuple[Signer, ...] = ()
    data_version: str = ""
    code_commit: str = ""
    source_sha256: str = ""


@dataclass(frozen=True)
class Behind:
    """Holds what was found of a version; `case` and `evidence` are None where ledger or manifest do not vouch."""

    model: Model
    links: tuple[Link, ...]
    case: Case | None = None
    evidence: Manifest | None = None


def behind(
    version: str,
    digest: str,
    span: Span,
    ledger: Ledger | None,
    read: Callable[[int], bytes],
) -> Behind:
    """Return what stands behind `version`, whose model had this digest when it decided, within `span`.

    `read` gives the stored manifest of a version: FileNotFoundError if there is none, another OSError or
    MlflowException if the store does not answer.
    """
    cases = ledger.book.cases.values() if ledger else ()
    case = next((each for each in cases if str(each.version) == version), None)
    promotion = _promotion(version, span, ledger, case)
    found: list[Manifest] = []

    def compare_evidence() -> None:
        if case is None:
            raise NotChecked(_UNREAD if ledger is None else "the ledger does not know the version")
        try:
            stated = manifest.read(read(case.version))
        except FileNotFoundError as error:
            raise Broken(str(error)) from error
        except (MlflowException, OSError) as error:
            raise NotChecked(f"it cannot be read: {str(error).splitlines()[0]}") from error
        except ValueError as error:
            raise Broken(f"what is stored as evidence is none: {str(error).splitlines()[0]}") from error
        if stated.digest != case.digest:
            raise Broken(f"what is stored is {stated.digest}, and {case.digest} was signed")
        found.append(stated)

    evidence = judged(
        "evidence",
        case.digest if case else "",
        f"The stored evidence of version {version} is what was signed.",
        compare_evidence,
    )

    def compare_model() -> None:
        if evidence.state != HELD:
            raise NotChecked("the evidence does not vouch for a model")
        named = found[0].files.get(_MODEL_FILE)
        if named != digest:
            raise Broken(f"the evidence names the model {named}, and {digest} was asked")

    model = judged("model", digest, "The model that was asked is the one in the evidence.", compare_model)
    stated = found[0] if found else None
    return Behind(_model(version, digest, case, stated), (promotion, evidence, model), case, stated)


def _promotion(version: str, span: Span, ledger: Ledger | None, case: Case | None) -> Link:
    def check() -> None:
        if ledger is None:
            raise NotChecked(_UNREAD)
        if case is None or case.promoted_at is None:
            raise Broken(f"by the ledger version {version} was never promoted")
        since, until = span
        was_before = since is not None and ledger.reigned(case.version, since, since)
        if was_before or (until is not None and ledger.reigned(case.version, since, until)):
            return
        if until is None and ledger.reigned(case.version, since, None):
            raise NotChecked("no row of the ledger follows on the decision, which may have come before the promotion")
        raise Broken(f"version {version} was not in force then; by the ledger it was {ledger.told(case.version)}")

    return judged(
        "promotion",
        version,
        f"All had signed version {version} before it decided, and it was in force.",
        check,
    )


def _model(version: str, digest: str, case: Case | None, stated: Manifest | None) -> Model:
    if case is None:
        return Model(version, digest)
    counted = case.approvals if case.promoted_at else []  # one that had run out would have kept it from promotion
    signers = tuple(Signer(each.user, each.step, each.at, each.reason) for each in counted)
    return Model(
        version,
        digest,
        case.digest,
        case.promoted_at,
        signers,
        stated.data_version if stated else "",
        stated.code.commit if stated else "",
        stated.code.source_sha256 if stated else "",
    )
