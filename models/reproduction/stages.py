"""The stages in which a model is made, each with two digests: of the version, and of what was made again."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.evidence import digests


class NotTried(Exception):
    """A version cannot be made again here; the message says why, and what would be needed."""


class Purged(NotTried):
    """The data that a version was made from were purged; the message says by which rule and when."""


@dataclass(frozen=True)
class Stage:
    """One stage: the digest in the version's evidence, and the digest found when it was made again."""

    name: str
    stated: str
    found: str

    @property
    def is_same(self) -> bool:
        return self.stated == self.found


def of_models(stated: bytes, found: bytes) -> Iterator[Stage]:
    """Yield the stages that a model's description (model.json) tells of, in the order in which they came about.

    The last one is the digest of the whole, which names the model. What is compared before only says where two models
    part.
    """
    before, after = json.loads(stated), json.loads(found)
    for name, keys in _TOLD.items():
        yield Stage(name, *(_digest(model, keys) for model in (before, after)))
    yield Stage("model", *(hashlib.sha256(each).hexdigest() for each in (stated, found)))


# Places in model.json by the stage that writes them; `files` are the digests of the boosters.
_TOLD = {
    "feature code": ("training.feature_code",),
    "rows": ("training.parts",),
    "encodings": ("encoder",),
    "rounds": ("training.rounds", "training.further_rounds", "training.learning_curve"),
    "trees": ("files",),
}


def _digest(model: dict[str, Any], places: tuple[str, ...]) -> str:
    return digests.json_digest([_at(model, place) for place in places])


def _at(model: dict[str, Any], place: str) -> object:
    found: Any = model
    for name in place.split("."):
        found = found.get(name)
    return found
