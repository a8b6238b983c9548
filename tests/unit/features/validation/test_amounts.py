"""All amounts of a source are in one currency: they are converted at the rate of their day, or refused."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.ingestion.batches import ingest
from features.reading.csv_dialect import ReadError
from features.sources import open_source
from features.store.store import Store
from features.validation import amounts
from features.validation.amounts import Rates, SeveralCurrenciesError
from flows import backtest
from flows.settings import Settings
from models import policy
from models.workspace import Workspace
from tests.support.declarations import DECLARATION, OUTCOME, frame
from tests.support.examples import examples
from tests.support.ingestion import LIMITS, Line, MemoryBatch, MemorySource, stored

FIRST = date(2024, 1, 1)


def table(*rows):
    schema = {"day": pl.Date, "currency": pl.String, "rate": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("day", "currency")


def declared(*rows):
    made = [
        DECLARATION
        | {"declaration_id": f"D{n}", "accepted_at": datetime.combine(day, datetime.min.time()) + timedelta(hours=9)}
        | {"currency": currency, "item_value": value}
        for n, (day, currency, value) in enumerate(rows)
    ]
    return frame("declarations", made).with_columns(
        pl.int_range(2, len(rows) + 2, dtype=pl.Int64).alias("source_line"), unreadable=pl.lit(None, pl.String)
    )


WEEK = table((date(2024, 3, 1), "KRW", 0.00075), (date(2024, 3, 4), "KRW", 0.0008), (date(2024, 3, 4), "EUR", 1.1))


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2024, 3, 1), 0.00075),
        (date(2024, 3, 3), 0.00075),  # a Sunday
        (date(2024, 3, 4), 0.0008),
        (date(2024, 3, 11), 0.0008),
    ],
)
def test_a_day_without_a_rate_has_the_latest_one_before_it(day, rate):
    converted = Rates("USD", WEEK, 7).convert(declared((day, "KRW", 1_300_000.0)))
    assert converted["item_value"].to_list() == [1_300_000.0 * rate]
    assert converted["currency"].to_list() == ["USD"]
    assert converted["unreadable"].to_list() == [None]


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(2024, 3, 12)])
def test_without_a_rate_that_is_recent_the_row_is_refused_with_what_is_allowed(day):
    rows = declared((day, "KRW", 5.0), (day, "USD", 5.0))
    converted = Rates("USD", WEEK, 7).convert(rows)
    assert converted.drop("unreadable").equals(rows.drop("unreadable"))
    assert converted["unreadable"].to_list() == [
        f"currency: 'KRW' has no rate on {day} or in the 7 days before; expected: USD, or a currency with a rate",
        None,
    ]


RATES = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["KRW", "EUR", "JPY"]), st.floats(0.001, 10)),
    max_size=25,
    unique_by=lambda each: each[:2],
)
ROWS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["USD", "KRW", "EUR"]), st.floats(0, 1e9)), min_size=1, max_size=20
)


@settings(max_examples=examples(60), deadline=None)
@given(rates=RATES, rows=ROWS, max_age=st.integers(0, 10), until=st.integers(0, 60))
def test_rates_told_later_change_nothing_earlier_and_each_row_has_its_day_s(rates, rows, max_age, until):
    dated = [(FIRST + timedelta(days=day), currency, rate) for day, currency, rate in rates]
    declarations = declared(*((FIRST + timedelta(days=day), currency, value) for day, currency, value in rows))
    last = FIRST + timedelta(days=until)
    early = declarations.filter(pl.col("accepted_at").dt.date() <= last)
    known = [each for each in dated if each[0] <= last]
    every = Rates("USD", table(*dated), max_age).convert(declarations)
    assert (
        Rates("USD", table(*known), max_age)
        .convert(early)
        .equals(every.filter(pl.col("accepted_at").dt.date() <= last))
    )
    for given_row, found in zip(declarations.to_dicts(), every.to_dicts(), strict=True):
        day = given_row["accepted_at"].date()
        usable = [
            (told, rate)
            for told, currency, rate in dated
            if currency == given_row["currency"] and day - timedelta(days=max_age) <= told <= day
        ]
        rate = 1.0 if given_row["currency"] == "USD" else max(usable, default=(day, None))[1]
        assert found["item_value"] == (given_row["item_value"] if rate is None else given_row["item_value"] * rate)
        assert (found["unreadable"] is None) is (rate is not None)


def ingested(tmp_path, *currencies):
    lines = [Line(DECLARATION | {"declaration_id": f"D{n}", "currency": c}) for n, c in enumerate(currencies)]
    store = Store(tmp_path / "store")
    return ingest(MemorySource((MemoryBatch(f"{len(lines)}.csv", tuple(lines)),)), store, LIMITS), store


def test_without_rates_other_currencies_than_the_source_s_are_quarantined(tmp_path):
    report, store = ingested(tmp_path, "KRW", "USD", "USD")
    assert (report.stored, report.quarantined) == (2, 1)
    (refused,) = store.quarantine().collect().to_dicts()
    assert refused["source_line"] == 2
    assert refused["reasons"] == [
        "currency: 'KRW'; expected: USD, in which this source's amounts are; "
        "bring others to it by [amounts] of the mapping"
    ]
    assert amounts.of_store(store) == "USD"
    again, _ = ingested(tmp_path, "KRW", "KRW", "KRW", "KRW")  # what is stored decides, not the batch
    assert again.quarantined == 4


def test_of_files_read_together_the_first_of_which_declarations_are_stored_tells_the_currency(tmp_path):
    said = [DECLARATION | {"currency": "KRW", "item_value": value} for value in (1.0, 2.0)]
    other = DECLARATION | {"declaration_id": "D2", "currency": "USD"}
    files = [
        MemoryBatch("outcomes.csv", (Line(outcome=OUTCOME),)),
        MemoryBatch("contradiction.csv", tuple(Line(each) for each in said)),
        MemoryBatch("first.csv", (Line(other), Line(other | {"declaration_id": "D3"}))),
        MemoryBatch("later.csv", (Line(said[0]),)),
    ]
    store = Store(tmp_path / "store")
    report = ingest(MemorySource(tuple(files)), store, LIMITS)
    assert [list(batch.record.quarantined_by_reason) for batch in report.batches] == [
        [],
        ["versions_in_one_file_agree (declaration_id)"],
        [],
        ["currency_is_the_source_s (currency)"],
    ]
    assert amounts.of_store(store) == "USD"


def test_a_store_of_before_with_several_currencies_is_refused_with_what_to_do(tmp_path, monkeypatch):
    judge = amounts.judge
    monkeypatch.setattr(
        "features.ingestion.staging.amounts.judge", lambda rows, currency: judge(rows.clear(), currency)
    )
    _, store = ingested(tmp_path, "KRW", "USD")
    said = "holds amounts in KRW, USD, which cannot be compared: state one currency .*tidewaiter data reread"
    here = Settings(state_folder=tmp_path / "state", data_folder=store.root.parent)
    workspace = Workspace(here.places, policy.load(), store.root.name)
    for use in (
        lambda: amounts.of_store(store),
        workspace.features,
        lambda: workspace.morning(date(2024, 3, 6)),
        lambda: workspace.network("not versioned"),
    ):
        with pytest.raises(SeveralCurrenciesError, match=said):
            use()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("day,currency,rate\n2024-03-04,KRW,0.1\n4.3.2024,KRW,0.1\n", "line 3: 4.3.2024, KRW, 0.1; allowed: a day as"),
        ("day,currency,rate\n2024-03-04,KRW,0\n", "line 2: 2024-03-04, KRW, 0; allowed"),
        ("day,currency,rate\n2024-03-04,XYZ,1\n", "line 2: 2024-03-04, XYZ, 1; allowed"),
        ("day,currency,rate\n2024-03-04,USD,1\n", "another currency of ISO 4217 than USD"),
        ("day,currency,rate\n2024-03-04,KRW,1\n2024-03-04,KRW,2\n", "KRW has several rates on 2024-03-04"),
        ("day,code\n", "not a CSV file with the columns day, currency, rate"),
    ],
)
def test_a_table_of_rates_is_read_or_says_why_not(tmp_path, text, sentence):
    (tmp_path / "rates.csv").write_text(text)
    with pytest.raises(ReadError, match=sentence):
        Rates.read("USD", tmp_path / "rates.csv", 7)


MAPPING = """
[[files]]
pattern = "*.csv"
[files.declarations]
{columns}

[amounts]
currency = "USD"
rates = "rates/table.csv"
"""


def test_a_mapping_brings_its_amounts_to_one_currency_and_rates_told_later_bring_nothing_anew(tmp_path):
    required = {name: value for name, value in DECLARATION.items() if value is not None} | {"accepted_at": "2024-03-04"}
    rows = [required | {"declaration_id": f"D{n}", "currency": c} for n, c in enumerate(["USD", "KRW", "JPY"])]
    pl.DataFrame(rows).write_csv(tmp_path / "march.csv")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING.format(columns="\n".join(f'{name} = "{name}"' for name in required)))
    (tmp_path / "rates").mkdir()
    rates = tmp_path / "rates" / "table.csv"
    rates.write_text("day,currency,rate\n2024-03-04,KRW,0.0008\n")
    store = Store(tmp_path / "store")
    report = ingest(open_source("files", [str(mapping)]), store, LIMITS)
    assert (report.stored, report.quarantined) == (2, 1)
    assert [(row["currency"], row["item_value"]) for row in stored(store, "declarations")] == [
        ("USD", 500.0),
        ("USD", 500.0 * 0.0008),
    ]
    rates.write_text("day,currency,rate\n2024-03-04,KRW,0.0008\n2024-03-05,KRW,0.1\n")
    assert ingest(open_source("files", [str(mapping)]), store, LIMITS).ingested == ()


def test_a_back_test_scores_no_value_in_another_currency_than_it_learned_from(tmp_path):
    given = {name: value for name, value in DECLARATION.items() if value is not None} | {"accepted_at": "2024-03-04"}
    rows = [given | {"declaration_id": f"D{n}", "currency": c} for n, c in enumerate(["USD", "KRW", "USD"])]
    pl.DataFrame([*rows, rows[0]]).write_csv(tmp_path / "test.csv")
    mapping = tmp_path / "mapping.toml"
    columns = "\n".join(f'{name} = "{name}"' for name in given)
    mapping.write_text(f'[[files]]\npattern = "*.csv"\n[files.declarations]\n{columns}\n')
    read = backtest._read_test("files", [str(mapping)], "USD")
    assert read.declarations["declaration_id"].to_list() == ["D0", "D2"]
    assert read.unscored == [
        {"file": "test.csv", "source_line": 3, "reason": "its value is in KRW, those learned from in USD"},
        {"file": "test.csv", "source_line": 5, "reason": "its key stands in an earlier line"},
    ]
