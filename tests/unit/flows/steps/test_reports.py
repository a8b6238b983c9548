"""What a person finds of a run that refused a file."""

from pathlib import Path

import pytest

from features.ingestion.batches import IngestRejected, IngestReport
from features.validation.verdicts import BatchCheck, BatchRejected, BatchVerdict, Verdict
from flows.steps import reports


def test_a_refused_file_has_a_page_and_an_artifact_that_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: dict[str, str] = {}
    monkeypatch.setattr(reports, "create_markdown_artifact", lambda text, **named: published.update(named, text=text))
    checks = (
        BatchCheck("not_empty", "The file has lines.", "9 lines", "1 line or more", passed=True),
        BatchCheck("quarantined_share", "Few are quarantined.", "8 of 9 lines", "at most 5 %", passed=False),
    )
    cause = BatchRejected("night.csv: 8 of 9 lines are quarantined", BatchVerdict("night.csv", checks, ()))
    rejection = IngestRejected(cause, IngestReport(()), Verdict())

    page = reports.write_rejection(rejection, tmp_path)
    reports.publish_rejection(rejection, page)

    assert page.name == "night-rejected.html"
    assert "8 of 9 lines" in page.read_text()
    assert published["description"] == "Why night.csv was refused"
    for said in (str(cause), "**not met**: Few are quarantined. Observed 8 of 9 lines; allowed at most 5 %", str(page)):
        assert said in published["text"]
