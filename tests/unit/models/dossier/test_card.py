import re
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from markdown_it import MarkdownIt
from pydantic import ValidationError

from models import burden
from models.backtesting.side_by_side import Load, NotRehearsed, Side, SideBySide
from models.detection import Detection, measure
from models.dossier.card import DESCRIPTION_LIMIT, Addresses, describe, render
from models.evaluation.gates import judge
from models.evaluation.schemes import SchemeRecall
from models.evidence.source_code import Uncommitted
from models.metrics.bootstrap import Estimate
from models.metrics.off_policy import Expected, Log, estimate
from models.reasons.agreement import Stability
from tests.support import judged, looks
from tests.support.scored import SMALL, evaluated, rows, subject

LOAD = burden.measure(rows(900), {"model": np.full(900, 0.1)}, SMALL)
SIDE = Side(name="challenger", inspections=300, officer_hours=620.0, delay_hours=3300.0, found=None)
REHEARSED = SideBySide(
    first_day=date(2024, 4, 1),
    last_day=date(2024, 6, 29),
    declarations=3000,
    confidence=0.95,
    challenger=SIDE,
    against=SIDE.model_copy(update={"name": "champion version 3"}),
    in_common=0.62,
    hits=Estimate(value=21.0, low=-3.0, high=45.0),
    revenue=Estimate(value=None, reason="nothing recorded"),
    loads=(
        Load(
            kind="chapter",
            code="61",
            declarations_a_week=80.0,
            inspections_a_week=9.0,
            inspections_a_week_against=4.5,
        ),
    ),
)
PAGE = f"#/experiments/{'1' * 18}/runs/{'a' * 32}/artifacts"
PLACES = Addresses(PAGE, f"get-artifact?run_uuid={'a' * 32}&path=")


@pytest.fixture(scope="module")
def found():
    evaluation = evaluated(rows(900), champion_noise=1.0)
    planted = SchemeRecall(scheme="phoenix", rows=40, by_score=0.5, by_priority=0.25)
    return evaluation.model_copy(update={"schemes": (planted,)})


def written(evaluation, rehearsed=REHEARSED, detection=None, **gates):
    verdicts, about = judge(evaluation, SMALL.gates.model_copy(update=gates)), subject(detection=detection)
    whole = render(about, evaluation, verdicts, LOAD, rehearsed)
    return whole, describe(about, evaluation, verdicts, rehearsed, PLACES)


def cells(text):
    """The text of every table cell, as a Markdown renderer sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [inline.content for opened, inline in pairwise(tokens) if opened.type in ("td_open", "th_open")]


def test_the_whole_card_tells_what_was_not_inspected_too(found):
    generator = np.random.default_rng(5)
    is_hit, is_inspected = generator.random(2000) < 0.1, generator.random(2000) < 0.3
    log = Log(is_inspected, np.full(2000, 0.3), is_hit & is_inspected, np.where(is_hit & is_inspected, 50.0, 0.0))
    chosen, expected = (np.arange(2000) < 200) * 1.0, Expected(np.full(2000, 0.1), np.full(2000, 5.0))
    selection = estimate(log, chosen, expected, confidence=0.95)
    whole, short = written(found.model_copy(update={"selection": selection}))
    assert "## Among all declarations" not in short
    assert "all 2,000 declarations of the test window" in whole
    said = cells(whole)
    for name in ("Naive: inspected items alone", "Inverse propensity", "Doubly robust"):
        assert re.fullmatch(r"\d+ % \[\d+, \d+\]", said[said.index(name) + 1])
    without = written(found)[0].partition("## Among all declarations")[2]
    assert without.strip().startswith("Could not be judged.")
    assert "on record" in without


def test_reviewers_see_what_would_have_been_otherwise(found):
    whole, short = written(found)
    assert "beside champion version 3, 2024-04-01 to 2024-06-29, 3,000 declarations, the same places" in whole
    for text in (whole, short):
        assert "62 % of inspections are the same, the others find +21 [-3, +45] hits" in text
        assert "of the declarations' currency in revenue more" in text
    said = cells(whole)
    place = said.index("chapter 61")
    assert said[place : place + 5] == ["chapter 61", "80", "4.5", "9.0", "+4.5"]
    assert "no office's does" in whole
    assert "Reasons:" not in whole
    kept = Stability(rows=500, top=3, overlap=Estimate(value=0.8), rank_correlation=Estimate(value=0.9))
    assert "80 % are the same" in written(found, REHEARSED.model_copy(update={"reasons": kept}))[0]


def detected(*twice):
    """Return what second looks tell of rows of two lanes; something was found in 30 of each 100 rows."""
    names = [f"T{place}" for place in range(200)]
    of_rows = pl.DataFrame({"declaration_id": names, "item_number": 1, "office": "10"}).with_columns(
        lane=pl.Series(["red", "yellow"] * 100), score=0.25, is_illicit=pl.Series([True] * 60 + [False] * 140)
    )
    return measure(looks.rows(twice), of_rows, date(2024, 6, 1), 0.95)


def test_both_say_what_would_be_found_and_what_is_illicit(found):
    told = detected(*[looks.FOUND] * 60, *[looks.MISSED] * 40, *[looks.NEITHER] * 100)
    whole, short = written(found, detection=told)
    for text in (whole, short):
        assert "about 30 would be found if inspected. Inspections find 60 % [50, 70] of what is there" in text
        assert re.search(r"so about 50 \[4\d, 6\d\] are illicit\.", text)
    assert "## What would be found, and what is illicit" not in short
    said = cells(whole)
    place = said.index("lane: red")
    assert said[place : place + 8] == [
        "lane: red",
        "200",
        "100",
        "60",
        "60 % [50, 70]",
        "100",
        "25.0 %",
        "30 % [21, 40]",
    ]
    assert said[place + 8] == "50 % [34, 71]"
    place = said.index("lane: yellow")
    nothing = "not estimated: no item was looked at twice"
    assert (said[place + 1], said[place + 4], said[place + 8]) == ("0", nothing, nothing)
    place = said.index("kind: origin")
    assert said[place + 1 : place + 5] == ["100", "100", "60", "60 % [50, 70]"]
    assert said[place + 7 : place + 9] == [
        "none: results do not tell the kind",
        "not estimated: results do not tell the kind",
    ]


@pytest.mark.parametrize("twice", [[], [looks.FOUND] * 40, [looks.MISSED] * 40, [looks.FOUND, looks.MISSED] * 40])
def test_every_figure_of_detection_is_on_the_card_or_follows_from_those_that_are(found, twice):
    document = detected(*twice).model_dump(mode="json")
    whole, _ = written(found, detection=Detection.model_validate(document))
    for path in judged.leaves(document):
        try:
            other = Detection.model_validate(judged.spoil(document, path))
        except ValidationError:
            continue
        assert written(found, detection=other)[0] != whole, path


@pytest.mark.parametrize(
    ("detection", "why"),
    [
        (detected(), "no item was looked at twice"),
        (detected(*[looks.FOUND] * 29), "second looks found 29 infringements; 30 are needed"),
        (None, "this version is older than the estimate"),
    ],
)
def test_what_is_illicit_is_said_not_to_be_estimated_where_it_is_not(found, detection, why):
    whole, short = written(found, detection=detection)
    for text in (whole, short):
        assert f"How many are illicit is not estimated: {why}." in text
    assert f"**Not estimated**: {why}." in whole
    assert (f"not estimated: {why}" in cells(whole)) == (detection is not None)


def test_hits_that_could_not_be_estimated_are_not_called_none(found):
    unknown = Estimate(value=None, reason="the chances are not on record")
    for text in written(found, REHEARSED.model_copy(update={"hits": unknown, "revenue": unknown})):
        assert "what the others would find could not be judged: the chances are not on record." in text
        assert "find none" not in text


def test_what_could_not_be_rehearsed_is_said(found):
    for text in written(found, NotRehearsed(why="no such days")):
        assert "**No rehearsal**: no such days." in text


def test_the_whole_card_tells_whom_inspections_fall_upon_and_what_they_cost(found):
    whole, short = written(found)
    assert "## Whom inspections fall upon" in whole
    said = cells(whole)
    assert "importer: new" in said
    assert said[said.index("Office: 10" if "Office: 10" in said else "office: 10") + 1].isdigit()
    assert "Its cost is not known: the rows have no currency" in whole
    assert "By the policy, an inspection takes" in whole
    assert "these are settings, and not measured." in whole
    assert "## Whom inspections fall upon" not in short


def test_both_tell_what_a_reviewer_needs(found):
    for text in written(found):
        for said in (
            "0f3c9a.dir",
            "99b1a27",
            "2023-01-01 to 2023-10-31: 12,000 labelled rows, 2,400 hits",
            "within bounds: 1 of 14 columns drifted",
            "`signoff.technical` (1 x risk-analyst), then `signoff.governance` (2 x reviewer)",
            "champion version 6, same rows",
            "Unseen goods",
            "importer_hit_rate_365d",
            "How to read the score",
            "Only inspected declarations have labels",
        ):
            assert said in text
        for said in ("this model", "champion", "random", "risk profile", "logistic regression", "20 %"):
            assert said in cells(text)


def test_the_short_card_links_to_the_reports_and_both_tell_what_changed(found):
    whole, short = written(found)
    for report in ("drift.html", "card.md", "validation.html"):
        assert f"({PAGE}/{report})" in short
    assert PAGE not in whole
    for text in (whole, short):
        assert "**Changed since version 6:** data version 0f3c9a.dir -> 1a2b3c.dir; same features." in text


def test_the_short_card_shows_pictures_of_the_run_and_how_to_sign(found):
    whole, short = written(found)
    for picture in ("gain", "reliability", "burden", "returns"):
        assert f"]({PLACES.file}plots/{picture}.png)" in short
    for text in (whole, short):
        assert "type `approved: why` or `rejected: why`, and save" in text
        assert "waits" not in text  # what does, changes; the card is signed


def test_the_rows_that_the_model_was_fitted_on_last_are_told(found):
    for text in written(found):
        assert "Then fitted on" in text
        assert "2023-01-01 to 2023-12-31: 14,200 labelled rows, 2,840 hits" in cells(text)


def test_figures_stand_beside_their_intervals(found):
    auc = found.model.roc_auc
    for text in written(found):
        assert f"{auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]" in cells(text)


def test_the_whole_card_has_every_slice_gate_and_scheme(found):
    whole, _ = written(found)
    for part in found.slices:
        assert f"{part.dimension}: {part.value}" in cells(whole)
    assert {"`test_rows`", "`slices`", "phoenix"} <= set(cells(whole))


def test_hits_and_revenue_are_told_apart_in_words(found):
    by_score, by_priority = found.model.at(0.1, "score"), found.model.at(0.1, "priority")
    sentence = (
        rf"the score finds {100 * by_score.recall.value:.3g} % of hits and {100 * by_score.revenue.value:.3g} % of "
        rf"revenue, the priority {100 * by_priority.recall.value:.3g} % of hits and "
        rf"{100 * by_priority.revenue.value:.3g} % of revenue"
    )
    whole, _ = written(found)
    assert re.search(sentence, whole)


def test_every_table_row_has_as_many_cells_as_its_head(found):
    for text in written(found):
        for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
            assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_description_fits_whatever_there_is_to_say(found):
    long = found.slices[0].model_copy(update={"value": "x" * 400})
    for evaluation in (found, found.model_copy(update={"slices": (long,) * 60 + found.slices[1:]})):
        _, text = written(evaluation, min_roc_auc=1.0, slice_min_roc_auc=1.0)
        assert 3000 < len(text) <= DESCRIPTION_LIMIT
        assert "Failed gate" in text


def test_a_description_without_room_is_cut_at_a_line_and_says_so(found):
    verdicts = [
        gate.model_copy(update={"passed": False, "sentence": "word " * 200}) for gate in judge(found, SMALL.gates)
    ]
    text = describe(subject(), found, verdicts, REHEARSED, PLACES)
    assert len(text) <= DESCRIPTION_LIMIT
    assert text.endswith("the whole card is the run's artifact `card.md`.\n")


def test_simulated_data_are_called_so(found):
    verdicts = judge(found, SMALL.gates)
    assert "Simulated data" in describe(subject(is_simulated=True), found, verdicts, REHEARSED, PLACES)
    assert "Simulated data" not in describe(subject(), found, verdicts, REHEARSED, PLACES)


def test_a_first_model_without_hits_to_test_on_still_has_a_card():
    none = evaluated(rows(50).with_columns(is_illicit=pl.lit(value=False)))
    for text in written(none):
        assert "There was no champion" in text
        assert "none: no hits among 50 rows" in text
    for text in written(evaluated(rows(50).clear())):
        assert "no rows" in text


def test_a_gate_that_had_nothing_to_judge_by_is_not_shown_as_passed():
    first = evaluated(rows(900))
    told = cells(written(first, min_test_rows=900, min_roc_auc=1.1)[0])
    names = ("`champion`", "`test_rows`", "`roc_auc`")
    assert [told[told.index(name) + 1] for name in names] == ["not judged", "passed", "**failed**"]
    gates = judge(first, SMALL.gates)
    unjudged = [gate.name for gate in gates if gate.verdict == "not judged"]
    assert "champion" in unjudged
    assert all(gate.passed for gate in gates)
    for text in written(first):
        told = cells(text)
        counted = f"{len(gates) - len(unjudged)} of {len(gates)} passed, {len(unjudged)} not judged"
        assert told[told.index("Gates") + 1] == counted


def test_rows_that_no_part_has_are_counted(found):
    stray = replace(subject(), stray=2)
    text = render(stray, found, judge(found, SMALL.gates), LOAD, REHEARSED)
    assert "2 labelled rows of days far from all others" in cells(text)
    assert "Left out" not in written(found)[0]


def test_the_currency_of_all_amounts_is_named(found):
    text = render(replace(subject(), currency="KRW"), found, judge(found, SMALL.gates), LOAD, REHEARSED)
    assert "in KRW, revenue included" in cells(text)
    assert "score x what a hit would bring, in KRW." in text
    assert "in the declarations' currency." in written(found)[0]


@pytest.mark.parametrize(
    ("uncommitted", "line"),
    [
        (Uncommitted(files=(), sha256=None), "| Code | `99b1a27`, all of it committed |"),
        (
            Uncommitted(files=("a.py",), sha256="0123456789ab" + "c" * 52),
            "| Code | `99b1a27`, and **1 of its files differs**: uncommitted, with digest `0123456789ab` |",
        ),
        (
            Uncommitted(files=("a.py", "b|`.py"), sha256="0123456789ab" + "c" * 52),
            "| Code | `99b1a27`, and **2 of its files differ**: uncommitted, with digest `0123456789ab` |",
        ),
        (None, "| Code | `99b1a27`: **nobody can say whether it was committed** |"),
    ],
)
def test_the_line_of_the_code_says_what_was_not_committed(found, uncommitted, line):
    told, verdicts = replace(subject(), uncommitted=uncommitted), judge(found, SMALL.gates)
    for text in (render(told, found, verdicts, LOAD, REHEARSED), describe(told, found, verdicts, REHEARSED, PLACES)):
        assert line in text.splitlines()
