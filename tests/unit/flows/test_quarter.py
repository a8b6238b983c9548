"""The quarter flow: one page in each language about the quarter that is over, from what happened in it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from prefect.logging import disable_run_logger

from flows import quarter
from flows.settings import Settings
from models.disclosure import Span, draw_up, gather
from models.disclosure.writing import page
from tests.support.disclosed import SAID, Disclosed, disclosed

MAY = Span("2024-Q2", datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Disclosed:
    return disclosed(tmp_path_factory.mktemp("quarter"))


def test_the_quarter_before_is_meant_in_the_administrations_zone():
    seoul = ZoneInfo("Asia/Seoul")
    span = quarter.before(datetime(2026, 4, 1, 6, tzinfo=seoul))
    assert (span.name, span.since, span.until) == (
        "2026-Q1",
        datetime(2026, 1, 1, tzinfo=seoul),
        datetime(2026, 4, 1, tzinfo=seoul),
    )
    assert [quarter.before(datetime(2026, month, 15, tzinfo=UTC)).name for month in (1, 3, 6, 9, 12)] == [
        "2025-Q4",
        "2025-Q4",
        "2026-Q1",
        "2026-Q2",
        "2026-Q3",
    ]


def test_a_page_in_each_language_tells_what_happened_in_the_quarter(made):
    with disable_run_logger():
        assert quarter.write_report.fn(made.settings, MAY) == "2024-Q2"
    folder = made.settings.state_folder / "reports" / "quarters" / "2024-Q2"
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        f"quarter.{language}.{ending}" for language in ("en", "fr", "zh") for ending in ("html", "pdf")
    ]
    text = (folder / "quarter.en.html").read_text(encoding="utf-8")
    assert "in 5 of 11 closed cases" in text
    assert SAID in text
    assert "as of 2024-07-01 00:00 UTC" in text


def test_what_happened_in_other_quarters_is_left_out(made, tmp_path):
    parts = (made.answers, made.world.log, made.world.desk)
    other = Span("2023-Q1", datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))
    material = gather(made.settings.places, 1, other.until, tmp_path, *parts, other)
    assert (material.monitored, material.entries, material.work.closed) == ([], [], 0)
    paper = draw_up(material, "quarter", "en")
    assert [point.number for point in paper.points if point.is_told] == ["1"]
    assert "Monitoring did not look in this time." in page(paper)


def test_without_a_version_in_force_there_is_nothing_to_report(tmp_path, monkeypatch):
    monkeypatch.setattr(quarter.incumbents, "champion", lambda *given: None)
    settings = Settings(state_folder=tmp_path / "state")
    with disable_run_logger():
        assert quarter.write_report.fn(settings, MAY) is None
    assert not (tmp_path / "state").exists()


def test_a_run_that_may_not_read_the_records_goes_on_without_them(made, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(made.settings.window_folder), "exists", refuse)
    with disable_run_logger(), quarter._records(made.settings) as found:
        assert found == (None, None)
