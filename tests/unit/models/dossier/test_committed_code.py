"""The gate on uncommitted code: what it says, and that the policy asks for it."""

import pytest

from models import policy
from models.dossier import committed_code
from models.evidence.source_code import Uncommitted
from tests.support import candidates


def changed(*files):
    return Uncommitted(files=files, sha256="a" * 64 if files else None)


@pytest.mark.parametrize(
    ("uncommitted", "passed", "observed", "sentence"),
    [
        (changed(), True, 0, "All of the code is as it was committed."),
        (
            changed("models/a.py"),
            False,
            1,
            "1 file of the code differs from the commit: models/a.py; commit them and retrain.",
        ),
        (
            changed("a", "b", "c"),
            False,
            3,
            "3 files of the code differ from the commit: a, b, c; commit them and retrain.",
        ),
        (
            changed("a", "b", "c", "d", "e"),
            False,
            5,
            "5 files of the code differ from the commit: a, b, c and 2 more; commit them and retrain.",
        ),
        (
            None,
            False,
            None,
            "Nobody can say whether the code is committed: neither git nor committed.json knows its commit.",
        ),
    ],
)
def test_it_passes_only_if_nothing_differs(uncommitted, passed, observed, sentence):
    gate = committed_code.judge(uncommitted)
    assert (gate.name, gate.passed, gate.observed, gate.bound) == ("committed_code", passed, observed, 0)
    assert gate.sentence == sentence


def test_it_is_judged_where_the_policy_asks_for_it():
    delivered = policy.load()
    assert delivered.gates.committed_code
    off = delivered.model_copy(update={"gates": delivered.gates.model_copy(update={"committed_code": False})})
    names = [[gate.name for gate in candidates.dossier().verdicts(each)] for each in (delivered, off)]
    assert "committed_code" in names[0]
    assert names[1] == [name for name in names[0] if name != "committed_code"]
