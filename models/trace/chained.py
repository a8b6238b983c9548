"""Whether a decision of the window is where it was written: in the log's chain, under a seal of the ledger."""

from collections.abc import Iterator

from models.decisions import BrokenChain, Decision, DecisionLog, Head
from models.trace.ledger import Ledger
from models.trace.links import HELD, Broken, Link, NotChecked, judged


def links(log: DecisionLog, number: int, decision: Decision, ledger: Ledger | None) -> Iterator[Link]:
    """Yield the links of the decision with this number in the log; `ledger` is None if it could not be read whole.

    The chain is followed from the last seal before the decision to the first that covers it, or else to the decision.
    Unavailable if the log does not answer.
    """
    before, after = ledger.around(number) if ledger else (None, None)
    head = Head(before.number, before.hash) if before else Head()
    found: list[Head] = []

    def follow() -> None:
        try:
            found.append(log.verify(head, after.number if after else number))
        except BrokenChain as error:
            raise Broken(str(error)) from error

    chain = judged(
        "chain", decision.decision_id, "The decision stands in the log as it was written, with all before it.", follow
    )
    yield chain

    def compare() -> None:
        if ledger is None:
            raise NotChecked("the ledger could not be read whole")
        if after is None:
            raise NotChecked("no seal covers the decision yet; one is written each hour")
        if chain.state != HELD:
            raise NotChecked("the chain does not reach the seal")
        if found[0].hash != after.hash:
            raise Broken(f"decision {after.number} is not what was sealed on {after.at:%Y-%m-%d %H:%M}")

    yield judged(
        "seal",
        after.hash if after else "",
        "The ledger has sealed the log up to this decision and beyond.",
        compare,
    )
