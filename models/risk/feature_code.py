"""Does a model read features of the code that it learned from? Another code's are other values under the same names.

What that code is, features/matrix/code_digest.py says; a model keeps its digest among what it tells of its training.
"""

from features.matrix.code_digest import code_version
from models.risk.risk_model import RiskModel

KEY = "feature_code"  # in RiskModel.training
# Earlier code whose values today's code computes to the bit, as tests/integration/test_earlier.py holds.
SAME_VALUES = frozenset({"47b91782462652a1c1c11dd153865e449fc320343af6404f40b72e77aee39e46"})
_SHOWN = 8


class OtherFeaturesError(ValueError):
    """A model would read features that were computed by other code than those from which it learned."""


def check(model: RiskModel, named: str, source: str) -> str | None:
    """A remark where the model is too old to tell; OtherFeaturesError where its code or its libraries are not today's.

    `named`: as people call it, such as 'champion version 3'.
    """
    learned, today = model.training.get(KEY), code_version()
    if learned is None:
        return (
            f"{named} does not say by what code the features were computed that it learned from: whether today's are "
            f"the same is not known; a retraining on source {source} makes a version that says so"
        )
    if learned != today and learned not in SAME_VALUES:
        raise OtherFeaturesError(
            f"{named} learned from features of other code or libraries ({learned[:_SHOWN]}, today's are "
            f"{today[:_SHOWN]}) and cannot judge today's: retrain on source {source} and sign the new version, or go "
            "back to the code and requirements.lock that this one was made with"
        )
    return None
