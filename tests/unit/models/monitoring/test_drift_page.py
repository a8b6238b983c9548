"""What the drift page says; tests/browser/test_drift.py checks how a browser shows it."""

import re
from datetime import date

import pytest

from models.metrics.cbpe import ExpectedPerformance
from models.monitoring.drift_page import render
from models.monitoring.drift_result import ColumnDrift, DriftResult, Promise, Quality, QualityCheck, Window

LEARNED, SINCE = (
    Window(since=date(2024, 1, 1), until=date(2024, 3, 31), rows=120_000, sampled=50_000),
    Window(since=date(2024, 5, 1), until=date(2024, 5, 31), rows=8_125, sampled=8_125),
)
AT_TRAINING = Quality(rows=5_000, hits=500, precision_at_10pct=0.5, roc_auc=0.8125, brier=0.1)
NOW = Quality(rows=1_200, hits=90, precision_at_10pct=None, roc_auc=0.75, brier=0.2)


def column(name, distance, is_drifted):
    return ColumnDrift(
        column=name,
        method="wasserstein",
        scale="log",
        distance=distance,
        threshold=0.1,
        missing_reference=0.015,
        missing_current=0.25,
        is_drifted=is_drifted,
    )


def result(**parts):
    quality = QualityCheck(
        current=NOW, reference=AT_TRAINING, is_judged=True, is_breach=False, sentence="ROC-AUC 0.750 against 0.812."
    )
    usual = {
        "reference": LEARNED,
        "current": SINCE,
        "columns": (column("item_value", 0.05, False), column("net_mass_kg", 0.3, True)),
        "max_drifted_columns": 3,
        "quality": quality,
        "promise": Promise(expected=ExpectedPerformance(rows=1, shares=(), confidence=0.95, figures={}), misses={}),
        "is_judged": True,
        "is_breach": False,
        "verdict": "1 of 2 columns drifted.",
    }
    return DriftResult(**usual | parts)


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_it_says_what_was_compared_and_what_was_found():
    told = words(render(result(), "<p>theirs</p>"))
    assert "Within bounds 1 of 2 columns drifted." in told
    assert "Reference 2024-01-01 to 2024-03-31 120,000 50,000" in told
    assert "At training 0.812 0.100 0.500 5,000" in told
    assert "Since then, where outcomes are known 0.750 0.200 - 1,200" in told
    assert told.index("net_mass_kg drifted 0.300 0.100 wasserstein, log 1.5 % 25.0 %") < told.index("item_value")


@pytest.mark.parametrize(
    ("parts", "state", "badge"),
    [
        ({"is_breach": True}, "Breach", "bad"),
        ({"is_judged": False}, "Not judged", "warn"),
        ({}, "Within bounds", "good"),
    ],
)
def test_the_state_is_told_first(parts, state, badge):
    page = render(result(**parts), "")
    assert f'<span class="badge {badge}">{state}</span>' in page
    assert ("too few declarations" in page) is (state == "Not judged")


def test_without_figures_of_training_there_is_no_row_of_them():
    quality = result().quality.model_copy(update={"reference": None})
    assert "At training" not in words(render(result(quality=quality), ""))


def test_evidentlys_document_stays_a_document_of_its_own():
    page = render(result(verdict="<b>1 & 2</b>"), '<html><body class="x">theirs</body></html>')
    assert 'srcdoc="&lt;html&gt;&lt;body class=&#34;x&#34;&gt;theirs' in page
    assert "&lt;b&gt;1 &amp; 2&lt;/b&gt;" in page
