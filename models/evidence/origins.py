"""What a retraining makes its model from, as one digest: known before it trains, and kept with the run that it made.

The outcome of a retraining is a function of this and of the champion that it is compared with. So a run that finds both
with an earlier one need not train to find out that nothing has changed. A search that ended because its minutes were
over is an exception: it would have found something else on a quicker machine.
"""

from dataclasses import dataclass

from features.code_digest import code_version
from models.evidence import digests, source_code
from models.evidence.source_code import Code
from models.policy import Policy

NO_CHAMPION = "none"


@dataclass(frozen=True)
class Earlier:
    """The outcome of an earlier retraining of the same: its run and its version, None if gates refused it.

    `failures` are the gates' reasons, a line each.
    """

    run_id: str
    version: str | None
    failures: str = ""


def digest(source: str, data_version: str, code: Code, policy: Policy, search: str) -> str:
    """Return the SHA-256, in hexadecimal, over all that a model is made from.

    That is the rows (their source and DVC's version of the data), the code and its libraries, the policy file, and how
    long was searched.

    The commit plays no part, as the same source may be committed twice. Whether there is one, and something was
    uncommitted, does, since it is in the evidence that people sign.
    """
    return digests.json_digest(
        {
            "source": source,
            "data_version": data_version,
            "source_sha256": code.source_sha256,
            "is_dirty": code.is_dirty,
            "has_commit": code.commit != source_code.NO_COMMIT,
            "lock_sha256": source_code.lock_digest(),
            "feature_code": code_version(),  # the libraries as installed, whatever the lock file says
            "policy_sha256": policy.digest,
            "search": search,
        }
    )
