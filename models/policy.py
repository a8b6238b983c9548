"""The policy file, typed. This is the one place that says what it may hold; the numbers themselves are in policy.toml.

The next version will be made and signed with the file on the disk. A version in force decides by the copy that was
signed with it (docs/decisions/0013-what-decides-was-signed.md), so this module reads old files too, and they decide as
they did. A section or key that is new has a default that means off. Where that is not enough, the file gets a new
`version`, and a step in `_UPGRADES` makes an old file say the same in the new words.
"""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from features.validation import Limits

POLICY_FILE = Path(__file__).with_name("policy.toml")
VERSION = 2


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Features(_Section):
    label_delay_days: int = Field(ge=0, le=365)


class Search(_Section):
    trials: int = Field(ge=1)
    full_trials: int = Field(ge=2)
    folds: int = Field(ge=2)
    minutes: float = Field(gt=0)


class Training(_Section):
    seed: int
    validation_share: float = Field(gt=0, lt=0.5)
    test_share: float = Field(gt=0, lt=0.5)
    max_rounds: int = Field(ge=1)
    early_stopping_rounds: int = Field(ge=1)
    bag: int = Field(1, ge=1, le=20)
    missed_detection_loss: bool = False
    search: Search


class Evaluation(_Section):
    inspection_shares: tuple[float, ...]
    bootstrap_resamples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)


class Gates(_Section):
    min_test_rows: int = Field(ge=1)
    min_roc_auc: float = Field(ge=0, le=1)
    min_average_precision_lift: float = Field(ge=0)
    max_expected_calibration_error: float = Field(ge=0, le=1)
    beats_baselines: tuple[str, ...]
    champion_margin: float = Field(ge=0)
    slice_min_rows: int = Field(ge=1)
    slice_min_roc_auc: float = Field(ge=0, le=1)
    committed_code: bool = False


class Drift(_Section):
    max_sample_rows: int = Field(ge=1000)
    column_threshold: float = Field(gt=0)
    max_drifted_columns: int = Field(ge=0)
    window_days: int = Field(ge=1)
    min_rows: int = Field(ge=1)
    min_labelled_rows: int = Field(ge=1)
    max_roc_auc_drop: float = Field(gt=0, le=1)


LANES = ("red", "yellow", "blue")  # green declarations are not inspected


class Lane(_Section):
    capacity_share: float = Field(ge=0, le=1)
    detects: float = Field(gt=0, le=1)
    officer_hours: float = Field(ge=0)
    delay_hours: float = Field(ge=0)
    carried_days: int = Field(0, ge=0, le=31)


class Lanes(_Section):
    red: Lane
    yellow: Lane
    blue: Lane


class Capacity(_Section):
    red: int = Field(ge=0)
    yellow: int = Field(ge=0)
    blue: int = Field(ge=0)


class Targeting(_Section):
    random_share: float = Field(gt=0, lt=1)
    critical_probability: float = Field(gt=0, le=1)
    kept_precision: float = Field(ge=0, le=1)
    at_share: float = Field(gt=0, lt=1)
    online_hit_bonus: float = Field(0, ge=0)
    lanes: Lanes
    offices: dict[str, Capacity] = {}


class Exploration(_Section):
    strategy: Literal["badge", "bate", "gate"]
    initial_share: float = Field(ge=0, le=1)
    min_share: float = Field(ge=0, le=1)
    max_share: float = Field(ge=0, le=1)
    learning_rate: float = Field(gt=0)

    @model_validator(mode="after")
    def _shares_are_in_order(self) -> Self:
        if not self.min_share <= self.initial_share <= self.max_share:
            raise ValueError(
                f"initial_share is {self.initial_share}; allowed: from min_share, {self.min_share}, to max_share, "
                f"{self.max_share}"
            )
        return self


class Cost(_Section):
    officer_hour: float = Field(ge=0)
    delay_hour: float = Field(ge=0)


class Burden(_Section):
    min_rows: int = Field(ge=1)
    max_selection_ratio: float = Field(ge=1)
    max_wasted_ratio: float = Field(ge=1)


class Hours(_Section):
    red: float = Field(24, gt=0)
    yellow: float = Field(24, gt=0)
    blue: float = Field(720, gt=0)


class Desk(_Section):
    lease_minutes: float = Field(60, gt=0)
    second_look_share: float = Field(0, ge=0, le=0.5)
    is_score_hidden: bool = False
    hours: Hours = Hours()


class SignoffStep(_Section):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    role: str
    signatures: int = Field(ge=1)


class Signoff(_Section):
    valid_days: int = Field(ge=1)
    criterion_days: int = Field(0, ge=0, le=366)
    steps: tuple[SignoffStep, ...] = Field(min_length=1)


class SignOn(_Section):
    """Whom groups of the house's identity provider make what here, and when what it said ends.

    It counts at the next start, for everything; no decision about a declaration depends on it.
    """

    groups_claim: str = Field("groups", min_length=1, max_length=100)
    session_hours: float = Field(10, gt=0, le=168)
    idle_minutes: float = Field(60, gt=0)
    confirm_minutes: float = Field(10, gt=0, le=1440)
    token_days: int = Field(90, ge=1, le=366)
    token_unconfirmed_days: float = Field(7, gt=0, le=366)
    groups: dict[str, tuple[str, ...]] = {}


class Policy(_Section):
    """The whole policy. It knows the file that it was read from, which is what people sign."""

    version: Literal[2]
    ingestion: Limits
    features: Features
    training: Training
    evaluation: Evaluation
    gates: Gates
    drift: Drift
    targeting: Targeting
    exploration: Exploration
    costs: dict[str, Cost]
    burden: Burden
    desk: Desk = Desk()
    signoff: Signoff
    sign_on: SignOn = SignOn()
    _written: bytes | None = PrivateAttr(None)

    @property
    def written(self) -> bytes:
        """Return the file that this was read from; ValueError if it was changed since, so that no file says it."""
        if self._written is None:
            raise ValueError("this policy was changed after it was read: no file says what it says")
        return self._written

    @property
    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of the file that this was read from; ValueError as `written`."""
        return hashlib.sha256(self.written).hexdigest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; one that was changed has no file."""
        copied = super().model_copy(update=update, deep=deep)
        if update:
            copied._written = None
        return copied

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, whatever their files look like."""
        return isinstance(other, Policy) and self.model_dump() == other.model_dump()

    __hash__ = None


def load() -> Policy:
    """Return the policy on the disk, checked: new versions are made by it."""
    return parse(POLICY_FILE.read_bytes())


def parse(text: bytes) -> Policy:
    """Read and check a policy file of this version or an earlier one.

    ValueError names each key that is wrong, its value and what is allowed.
    """
    content = tomllib.loads(text.decode())
    found = content.get("version", 1)  # the first files did not state one
    if type(found) is not int or not 1 <= found <= VERSION:
        raise ValueError(f"version of the policy is {found!r}; allowed: a whole number from 1 to {VERSION}")
    for number in range(found, VERSION):
        content = _UPGRADES[number](content) | {"version": number + 1}
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        raise ValueError("\n".join(_refused(each) for each in error.errors())) from None
    policy._written = text
    return policy


def _refused(error: ErrorDetails) -> str:
    """Return one line that says which key of the policy is wrong, and what is allowed."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"policy: {key} is missing"
    if error["type"] == "extra_forbidden":
        return f"policy: {key} is unknown; allowed: the keys of models/policy.toml as delivered"
    if error["type"] == "value_error":
        return f"policy: {key}: {error['msg'].removeprefix('Value error, ')}"
    return f"policy: {key} is {error['input']!r}; allowed: {error['msg'].removeprefix('Input should be ')}"


def _from_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy of version 2 that says the same.

    In version 1, no trial meant the parameters as they stand, and there was no full search. None of it touches a
    decision.
    """
    training = content["training"]
    searched = {"full_trials": 2, "folds": 2} | training["search"]
    search = searched | {"trials": max(searched["trials"], 1)}
    return {**content, "training": {**training, "search": search}}


# For each version, the function that turns a file of it into one of the next version.
_UPGRADES: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {1: _from_1}
