"""The gate `committed_code`: a version is made from code that others can check out, to the byte."""

from models.evaluation import Gate, gates
from models.evidence import source_code
from models.evidence.source_code import Uncommitted

NAME = "committed_code"
_NAMED = 3  # evaluation.json has all of them


def judge(uncommitted: Uncommitted | None) -> Gate:
    """Return the verdict on the code that differs from its commit; None fails, since nobody can say what differs."""
    if uncommitted is None:
        sentence = (
            f"nobody can say whether the code is committed: neither git nor {source_code.DELIVERED} knows its commit"
        )
        return gates.entered(NAME, False, None, 0, sentence)
    count = len(uncommitted.files)
    if not count:
        return gates.entered(NAME, True, 0, 0, "all of the code is as it was committed")
    named = ", ".join(uncommitted.files[:_NAMED]) + (f" and {count - _NAMED} more" if count > _NAMED else "")
    files = "1 file of the code differs" if count == 1 else f"{count} files of the code differ"
    return gates.entered(NAME, False, count, 0, f"{files} from the commit: {named}; commit them and retrain")
