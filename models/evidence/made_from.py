"""From what a retraining makes its model, as one digest: known before it trains, and kept with the run that it made.

What comes of a retraining is a function of these and of the champion that it is held against, so a run that finds both
with an earlier one need not train to find out that nothing has changed. A search that its minutes ended is none: it
would have found something else on a quicker machine.
"""

import hashlib
from dataclasses import dataclass

from features.matrix.code_digest import code_version
from models.evidence import manifest
from models.evidence.manifest import Code

NO_CHAMPION = "none"


@dataclass(frozen=True)
class Earlier:
    """What an earlier retraining of the same came to: its run and its version, None where gates refused it.

    `failures` are the gates' reasons, a line each.
    """

    run_id: str
    version: str | None
    failures: str = ""


def digest(source: str, data_version: str, code: Code, policy: bytes, search: str) -> str:
    """SHA-256, in hexadecimal, over the rows (their source and DVC's version of the data), the code and its libraries,
    the policy file, and how long was searched.

    The commit plays no part, as the same source may be committed twice; that something was not committed does, since it
    is in the evidence that people sign.
    """
    return manifest.json_digest(
        {
            "source": source,
            "data_version": data_version,
            "source_sha256": code.source_sha256,
            "is_dirty": code.is_dirty,
            "lock_sha256": manifest.lock_digest(),
            "feature_code": code_version(),  # the libraries as they are installed, whatever the lock file says
            "policy_sha256": hashlib.sha256(policy).hexdigest(),
            "search": search,
        }
    )
