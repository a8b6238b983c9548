"""Decisions for tests: invented, and unlike each other wherever a test may look."""

from datetime import UTC, date, datetime, timedelta

from models.decisions.record import Decision, Item, Reason
from models.live.chance import Draws
from models.live.placing import Candidate, Chances

DAY = date(2024, 5, 2)


def decision(number: int, *, declaration_id: str | None = None, version: int = 1, office: str = "010") -> Decision:
    """Return a decision about one declaration with two items; `number` makes it unlike the others."""
    declared = tuple({"declaration_id": declaration_id or f"D{number}", "item_number": item} for item in (1, 2))
    items = tuple(
        Item(
            item_number=item,
            lane=lane,
            reason="value",
            probability=1.0 / (3 + number),
            chances=Chances(0.01, 1 / 3, is_entitled=False),
            candidate=Candidate(30_000 + number, 0.25, 0.01, 2000.25, 1.1),
            draws=Draws(0.5 / number, 0.75),
            plan="d" * 64,
            came='{"red":3}',
            score=0.1 * number / 7 + item / 11,
            critical=0.01,
            expected_revenue=1234.5 + number,
            revenue_if_illicit=2000.25,
            priority=99.0 + number,
            reasons=(Reason("importer", 0.3 + number, "raises", "The importer is new, “really”."),),
        )
        for item, lane in ((1, "red"), (2, "green"))
    )
    return Decision(
        decision_id=f"20240502-{number:016x}",
        declaration_id=declaration_id or f"D{number}",
        version=version,
        content=f"{number:064x}",
        message=f"{number + 5:064x}",
        caller="system",
        language="en",
        received_at=datetime(2024, 5, 2, 8, tzinfo=UTC) + timedelta(milliseconds=number),
        day=DAY,
        office=office,
        key=f"{number + 7:064x}",
        declared=declared,
        morning="a" * 64,
        model_version="3",
        model_digest="b" * 64,
        policy_digest="c" * 64,
        feature_names="e" * 64,
        features=((0.1 + number, None, "840000", True), (1 / 3, 2.0, None, False)),
        before='{"red":3}',
        after='{"red":2}',
        items=items,
    )
