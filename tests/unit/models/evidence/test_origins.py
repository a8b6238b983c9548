"""Everything that a model is made from changes the digest by which a retraining knows that it was made before."""

from typing import Any

import pytest

from models import policy
from models.evidence import origins, source_code
from models.evidence.source_code import Code

CODE = Code(commit="a" * 40, is_dirty=False, source_sha256="1" * 64)
GIVEN: dict[str, Any] = {
    "source": "simulator",
    "data_version": f"{'0' * 32}.dir",
    "code": CODE,
    "policy": policy.load(),
    "search": "usual",
}


def digest(**changed: Any) -> str:
    return origins.digest(**{**GIVEN, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"source": "kcs"},
        {"data_version": f"{'1' * 32}.dir"},
        {"code": CODE.model_copy(update={"source_sha256": "2" * 64})},
        {"code": CODE.model_copy(update={"is_dirty": True})},
        {"code": CODE.model_copy(update={"commit": "none"})},
        {"policy": policy.parse(policy.load().written + b"# read again\n")},
        {"search": "full"},
    ],
    ids=str,
)
def test_each_of_them_moves_it(changed: dict[str, Any]) -> None:
    assert digest() == digest()
    assert digest(**changed) != digest()


def test_another_commit_of_the_same_source_does_not() -> None:
    assert digest(code=CODE.model_copy(update={"commit": "b" * 40})) == digest()


@pytest.mark.parametrize("moved", [(source_code, "lock_digest"), (origins, "code_version")])
def test_other_libraries_move_it(monkeypatch: pytest.MonkeyPatch, moved: tuple[Any, str]) -> None:
    before = digest()
    monkeypatch.setattr(*moved, lambda: "other")
    assert digest() != before
