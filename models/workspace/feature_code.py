"""Whether a model reads features of the code that it learned from. Other code gives other values under the same names.

features/code_digest.py says what that code is; a model keeps its digest in the record of its training.
"""

from features.code_digest import code_version
from models.risk import RiskModel

# Earlier code whose values today's code computes to the last bit; tests/integration/test_earlier.py checks this.
SAME_VALUES = frozenset({"47b91782462652a1c1c11dd153865e449fc320343af6404f40b72e77aee39e46"})
_SHOWN = 8


class OtherFeaturesError(ValueError):
    """The error when a model would read features that were computed by other code than those from which it learned."""


def check(model: RiskModel, named: str, source: str) -> str | None:
    """Return a remark if the model is too old to tell; OtherFeaturesError if its code or libraries are not today's.

    `named` is what people call the model, such as 'champion version 3'.
    """
    learned, today = model.training.feature_code, code_version()
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
