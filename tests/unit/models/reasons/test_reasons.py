"""Reasons: what belongs together, what is said of it in three languages, and how far it survives a retraining."""

import itertools
import re
from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec.structs import astuple
from msgspec.structs import replace as replace_in
from scipy.stats import spearmanr

from features import simulator
from features.contract import KEY
from features.facts import kinds
from features.facts.asof import outcome_versions
from features.families.sentences import Sentences, Words, placeholders
from features.history.history import History
from features.matrix import matrix
from features.matrix.matrix import CATALOGUE
from models.policy import load
from models.reasons import Reason, again, group_contributions, reasons, reasons_by_row, said_again
from models.reasons.agreement import overlap, rank_correlation, stability
from models.reasons.explain import SCHEMA, leading
from models.reasons.grouping import check, features_of, groups
from models.reasons.language import LANGUAGES, read
from models.reasons.sentences import Item, phrase
from models.risk import boosting
from models.risk.encoder import Encoder
from models.training.fitting import train
from models.training.splits import labelled, split_by_time
from tests.support.datasets import TARGETING, TRAINING

NAMES = tuple(feature.name for feature in CATALOGUE)
TOLD = features_of(NAMES)
EN, FR, ZH = (read(name) for name in LANGUAGES)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """The matrix of a simulated half year, as labelled as customs had it."""
    parameters = simulator.Parameters(rows=6000, months=6, seed=3)
    tables = simulator.build(simulator.simulate(parameters), parameters.seed)
    declarations, outcomes = (frame.drop("arrives").lazy() for frame in (tables.declarations, tables.outcomes))
    delay = load().features.label_delay_days
    past = kinds.build(declarations, declarations.head(0), outcomes, outcomes.head(0), delay)
    versions = outcome_versions(outcomes, outcomes.head(0), delay)
    return matrix.with_labels(matrix.compute(History(past)).lazy(), versions, parameters.first_days()[-1]).collect()


@pytest.fixture(scope="module")
def model(rows):
    split = split_by_time(rows, TRAINING, 7)
    return train(split.train, split.validation, CATALOGUE, TRAINING, TARGETING)


def said(name: str, language: str = "en", **values) -> str:
    """What feature `name` says in a row of `values`."""
    return read(language).render(phrase(TOLD[name], Item(values), frozenset({"CN", "090121", "4"})))


# What belongs together.


def test_every_feature_has_one_group():
    together = groups(NAMES)
    assert sorted(itertools.chain.from_iterable(together.values())) == sorted(NAMES)
    assert list(together) == sorted(together)


def test_what_says_the_same_thing_is_one_group():
    together = groups(NAMES)
    windows = itertools.product(("declarations", "value", "inspection_rate", "hit_rate", "revenue"), (30, 90, 365))
    assert set(together["importer"]) == {
        *(f"importer_{measure}_{days}d" for measure, days in windows),
        "importer_days_since_seen",
        "importer_days_since_hit",
    }
    assert set(together["price_goods_x_origin"]) == {f"price_{kind}_hs6_origin" for kind in ("z", "quantile", "ratio")}
    assert {"origin_country", "origin_hit_rate_30d", "hit_rate_origin_country"} <= set(together["origin"])
    assert {"is_new_importer_hs6", "importer_hs6_value_90d", "hit_rate_hs6_x_importer_id"} <= set(
        together["importer_x_goods"]
    )
    assert {"repeat_days_since_hit", "hit_rate_item_value_x_net_mass_kg", "inspections_hs6_x_item_value"} <= set(
        together["repeat"]
    )
    assert {"has_seller", "seller_revenue_365d"} <= set(together["seller"])


def test_a_window_of_another_entity_says_the_same_of_it():
    (window,) = features_of(("importer_hit_rate_90d",)).values()
    other = replace(window, name="by_seller_and_office", entity=("seller_id", "office"), window_days=180)
    assert EN.render(phrase(other, Item({other.name: 0.25}))) == (
        "Past declarations with the same seller and customs office have an adjusted hit rate of 25% over the past 180 "
        "days."
    )


def test_sentences_of_no_name_are_refused():
    with pytest.raises(ValueError, match="feature 'office' of family 'declared' is stated by 'omens'; allowed: "):
        check(replace(TOLD["office"], sentences="omens"))


def test_a_feature_that_is_not_catalogued_is_refused():
    with pytest.raises(ValueError, match=r"feature 'gone' is not in the catalogue, .* \(1 of 2 unknown\)"):
        groups(("office", "gone"))


# What is said.


def phrases():
    """What every feature says, of every kind of value it may have, with and without what belongs to it in the row."""
    for name in NAMES:
        members = [
            other
            for other in NAMES
            if TOLD[other].group == TOLD[name].group or other in ("tax_rate_pct", "origin_country", "departure_country")
        ]
        alike = ["CN", "XX", None] if TOLD[name].kind == "categorical" else [None, -2.0, 0.0, 0.3, 1.0, 1.4, 7.0]
        for value, other in itertools.product(alike, (None, 0.0, 1.0, 7.0)):
            rest = {each: "CN" if TOLD[each].kind == "categorical" else other for each in members}
            numbers = dict.fromkeys(("value_per_kg", "value_per_unit", "mass_per_unit_kg"), other)
            for row in ({name: value}, rest | {name: value}, {name: value} | numbers):
                yield phrase(TOLD[name], Item(row), frozenset({"CN"}))


def test_every_sentence_is_there_in_every_language_and_none_is_for_nothing():
    every = list(phrases())
    said_somewhere = {one.words: set(one.values) for one in every if isinstance(one.words, str)}
    for name in LANGUAGES:
        sentences = read(name).sentences
        assert set(sentences) == set(said_somewhere), name
        assert {key: placeholders(text) for key, text in sentences.items()} == said_somewhere, name
    own = {feature.sentences for feature in CATALOGUE if isinstance(feature.sentences, Sentences)}
    brought = {words for each in own for words in (each.stated, each.zero, each.none) if words}
    assert {one.words for one in every if isinstance(one.words, Words)} == brought


def test_every_word_is_there_in_every_language():
    columns = {column for one in CATALOGUE for column in one.entity}
    in_records = {column for one in CATALOGUE if one.window_days for column in one.entity}
    for language in (EN, FR, ZH):
        assert set(language.nouns) == columns
        assert in_records <= set(language.of) <= columns
        assert set(language.of) == set(EN.of)
        assert set(language.measured) == set(EN.measured)
        assert set(language.counted) == set(EN.counted)
        assert set(language.transport_modes) == set("0123456789")


def test_every_phrase_can_be_rendered_and_reads_as_one_sentence():
    for one in phrases():
        for name, full_stop in zip(LANGUAGES, "..。", strict=True):
            text = read(name).render(one)
            assert text.endswith(full_stop)
            assert not re.search(r"[{}]|None|\bnan\b|\d{5}|  ", text), text


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        (
            "price_z_hs6_origin",
            {"price_ratio_hs6_origin": 0.29, "price_z_hs6_origin": -3.0},
            "Declared value per kg is 71% below what is usual for declarations with the same HS subheading and country "
            "of origin.",
        ),
        ("price_ratio_hs6", {"price_ratio_hs6": 1.25}, "Declared value per kg is 25% above what is usual for "),
        ("price_ratio_hs6", {"price_ratio_hs6": 3.24}, "Declared value per kg is 3.2 times what is usual for "),
        ("price_ratio_hs6", {"price_ratio_hs6": 1.003}, "Declared value per kg is what is usual for declarations of"),
        ("price_z_hs6", {"price_z_hs6": -0.5, "price_quantile_hs6": 0.1}, "Declared value per kg is higher than in 10"),
        ("price_z_hs6", {"price_z_hs6": -0.5}, "Declared value per kg is below what is usual for declarations of this"),
        ("price_z_hs6", {"value_per_kg": None}, "There is no value per kg to judge: net mass or customs value is zero"),
        ("price_z_hs6", {"value_per_kg": 4.0}, "Declared value per kg cannot be compared: fewer than 5 values are"),
        (
            "unit_mass_z_seller_hs6",
            {"unit_mass_ratio_seller_hs6": 0.5, "unit_mass_z_seller_hs6": -3.0},
            "Net mass per unit of quantity is 50% below what is usual for declarations with the same seller, HS "
            "subheading and unit of quantity.",
        ),
        ("unit_mass_z_hs6", {"mass_per_unit_kg": None}, "There is nothing per unit of quantity to judge: quantity, "),
        ("unit_value_z_hs6", {"value_per_unit": 0.0}, "There is nothing per unit of quantity to judge: quantity, "),
        (
            "unit_value_z_hs6",
            {"value_per_unit": 2.0},
            "Declared value per unit of quantity cannot be compared: fewer",
        ),
        ("unit_mass_z_seller_hs6", {"has_seller": 0.0}, "The declaration does not give the seller."),
        (
            "share_departure_country_among_seller_id",
            {"share_departure_country_among_seller_id": 0.034},
            "Declarations with the same seller and country of departure in the past year come to 3.4% of those with "
            "any country of departure.",
        ),
        (
            "share_courier_id_among_seller_id",
            {"share_courier_id_among_seller_id": 0.0},
            "No declaration with the same seller and courier in the past year, but there were some with another "
            "courier.",
        ),
        (
            "importer_hit_rate_365d",
            {
                "importer_hit_rate_365d": 0.34,
                "importer_declarations_365d": 120.0,
                "importer_inspection_rate_365d": 1 / 3,
            },
            "Past declarations of this importer have an adjusted hit rate of 34%, with 40 inspections in the past "
            "year.",
        ),
        (
            "importer_hit_rate_30d",
            {"importer_hit_rate_30d": 0.2, "importer_declarations_30d": 3.0, "importer_inspection_rate_30d": 0.0},
            "No inspection of declarations of this importer was concluded in the past 30 days.",
        ),
        (
            "importer_hit_rate_30d",
            {"importer_hit_rate_30d": 0.2, "importer_declarations_30d": 0.0, "importer_inspection_rate_30d": None},
            "No declaration of this importer in the past 30 days; the adjusted hit rate stands at 20%.",
        ),
        (
            "importer_hit_rate_30d",
            {"importer_hit_rate_30d": 0.2},
            "Past declarations of this importer have an adjusted hit rate of 20% over the past 30 days.",
        ),
        (
            "hit_rate_hs6_x_importer_id",
            {"hit_rate_hs6_x_importer_id": 0.125, "inspections_hs6_x_importer_id": 1.0},
            "Past declarations with the same HS subheading and importer have an adjusted hit rate of 12%, with 1 "
            "inspection in the past 3 years.",
        ),
        (
            "hit_rate_hs6_x_importer_id",
            {"hit_rate_hs6_x_importer_id": 0.125, "inspections_hs6_x_importer_id": 0.0},
            "No inspection of declarations with the same HS subheading and importer was concluded in the past 3 years.",
        ),
        ("hit_rate_hs6_x_seller_id", {"has_seller": 0.0}, "The declaration does not give the seller."),
        ("seller_days_since_hit", {"seller_declarations_30d": None}, "The declaration does not give the seller."),
        (
            "seller_days_since_hit",
            {"seller_declarations_30d": 2.0},
            "No infringement in declarations from this seller became known in the past year.",
        ),
        (
            "importer_days_since_seen",
            {"importer_days_since_seen": None},
            "No declaration of this importer in the past year.",
        ),
        ("importer_hit_rate_30d", {}, "There is no record of declarations of this importer to go by."),
        (
            "importer_declarations_90d",
            {"importer_declarations_90d": 1.0},
            "Declarations of this importer in the past 9",
        ),
        (
            "is_new_importer_hs6",
            {"is_new_importer_hs6": 1.0},
            "For the first time in the past year, this importer declares goods of this HS subheading.",
        ),
        (
            "rate_quantile_hs6",
            {"rate_quantile_hs6": 0.1, "rate_gap_hs6": -5.0, "tax_rate_pct": 8.0},
            "The tax rate applied, 8%, is below the 13% that is usual for declarations of this HS subheading.",
        ),
        (
            "is_via_third_country",
            {"is_via_third_country": 1.0, "origin_country": "CN", "departure_country": "SG"},
            "The goods departed from SG, not from their declared origin, CN.",
        ),
        ("origin_country", {"origin_country": "CN"}, "Country of origin: CN."),
        ("origin_country", {"origin_country": "XK"}, "Country of origin: XK, which the model has not met before."),
        (
            "origin_country",
            {"origin_country": "CN", "hit_rate_origin_country": 0.07, "inspections_origin_country": 12_500.0},
            "Country of origin: CN. Past declarations of this origin have an adjusted hit rate of 7%, with 12,500 "
            "inspections in the past 3 years.",
        ),
        ("hs6", {"hs6": "090121"}, "HS subheading: 0901.21."),
        ("transport_mode", {"transport_mode": "4"}, "Mode of transport: air."),
        ("payment_type", {"payment_type": None}, "The declaration does not give the means of payment."),
        ("gross_to_net_mass", {"gross_to_net_mass": float("nan")}, "Gross and net mass cannot be compared: "),
        ("gross_to_net_mass", {"gross_to_net_mass": 0.9}, "Gross mass is 10% below net mass."),
        ("weekday", {"weekday": 7.0}, "The declaration was accepted on a Sunday."),
        ("days_to_month_end", {"days_to_month_end": 0.0}, "The declaration was accepted on the last day of the month."),
    ],
)
def test_a_sentence_states_the_row(name, values, sentence):
    text = said(name, **values)
    assert text == sentence if sentence.endswith(".") else text.startswith(sentence)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "fr",
            "La valeur déclarée par kg est inférieure de 7,5\u202f% à la valeur habituelle des déclarations de même "
            "sous-position SH et même pays d'origine.",
        ),
        ("zh", "每千克申报价格比六位税号、原产国均相同的货物通常水平低7.5%。"),
    ],
)
def test_other_languages_say_the_same(language, sentence):
    assert said("price_ratio_hs6_origin", language, price_ratio_hs6_origin=np.float32(0.925).item()) == sentence


@pytest.mark.parametrize(
    ("language", "days"), [("en", ("0 days", "1 day", "2 days")), ("fr", ("0 jour", "1 jour", "2 jours"))]
)
def test_counts_take_the_number_of_the_language(language, days):
    for count, text in enumerate(days):
        sentence = said("importer_days_since_seen", language, importer_days_since_seen=float(count))
        assert re.search(rf"\b{text}\b", sentence), sentence


def test_an_unknown_language_is_refused(model, rows):
    with pytest.raises(ValueError, match="language is 'de'; allowed: en, fr, zh"):
        reasons(model, rows.head(1), "de")


# Reasons of a model.


def test_reasons_are_the_weightiest_groups_of_each_row(model, rows):
    some = rows.tail(50)
    found = reasons(model, some, "en", top=3)
    assert found.schema == {**{name: some.schema[name] for name in KEY}, **SCHEMA}
    weights = group_contributions(model, some).drop(*KEY, "baseline")
    for line, (key, of_row) in enumerate(found.group_by(KEY, maintain_order=True)):
        assert key == some.select(KEY).row(line)
        assert of_row["rank"].to_list() == list(range(1, of_row.height + 1))
        by_weight = sorted(weights.row(line, named=True).items(), key=lambda each: -abs(each[1]))
        assert list(zip(of_row["group"], of_row["contribution"], strict=True)) == by_weight[: of_row.height]
    assert found.filter(pl.col("direction") == "raises")["contribution"].min() > 0
    assert found.filter(pl.col("direction") == "lowers")["contribution"].max() < 0


def test_a_rows_reasons_are_the_same_to_the_last_bit_whoever_else_is_asked_about(model, rows):
    some = rows.tail(150)  # more than LightGBM predicts with one thread
    matrix = model.encoder.encode(some)
    together = reasons_by_row(model, some, matrix, "en", top=9)
    alone = [reasons_by_row(model, some[line], matrix[line : line + 1], "en", top=9) for line in range(some.height)]
    assert alone == [[of_row] for of_row in together]
    told = reasons(model, some, "en", top=9).drop(*KEY, "rank").rows()
    assert told == [astuple(reason) for of_row in together for reason in of_row]


def test_languages_give_the_same_reasons_in_other_words(model, rows):
    found = [reasons(model, rows.tail(20), name) for name in LANGUAGES]
    assert all(each.drop("sentence").equals(found[0].drop("sentence")) for each in found)
    assert not set(found[0]["sentence"]) & set(found[1]["sentence"])
    assert not set(found[1]["sentence"]) & set(found[2]["sentence"])


def test_a_reason_is_said_again_in_each_language_from_what_a_decision_keeps(model, rows):
    some = rows.tail(60)
    matrix = model.encoder.encode(some)
    told = {name: reasons_by_row(model, some, matrix, name, top=20) for name in LANGUAGES}
    names = [name for name in NAMES if name in some.columns]
    for line, values in enumerate(msgspec.json.decode(msgspec.json.encode(some[names].rows()))):
        known = dict(zip(names, values, strict=True))
        for given, wanted in itertools.product(LANGUAGES, LANGUAGES):
            said_in = [said_again(reason, known, given, wanted) for reason in told[given][line]]
            assert said_in == [reason.sentence for reason in told[wanted][line]]


def test_a_reason_is_not_said_again_where_it_is_not_certain_what_it_says(monkeypatch):
    known = {"weekday": 7.0, "importer_hit_rate_30d": 0.5}
    sunday = Reason("calendar", 0.5, "raises", "The declaration was accepted on a Sunday.")
    assert said_again(sunday, known, "en", "fr") == FR.render(phrase(TOLD["weekday"], Item(known)))
    changed = ({"sentence": "It was accepted on a Sunday."}, {"group": "importer"})
    for other in (replace_in(sunday, **each) for each in changed):
        assert said_again(other, known, "en", "fr") is None
    assert said_again(sunday, known | {"weekday": 1.0}, "en", "fr") is None
    assert said_again(sunday, {}, "en", "fr") is None
    words = Words(en="The declaration was accepted on a Sunday.", fr="Tout autre chose.", zh="两回事。")
    double = replace(TOLD["weekday"], name="other", entity=("office",), sentences=Sentences(words))
    monkeypatch.setattr(again, "CATALOGUE", (*CATALOGUE, double))
    assert said_again(sunday, known | {"other": 1.0}, "en", "fr") is None


def test_the_sentence_is_that_of_the_leading_fact(model, rows):
    some = rows.tail(20)
    shares = model.contributions(some)
    found = reasons(model, some, "fr", top=1)
    assert found.height == some.height
    for line, reason in enumerate(found.iter_rows(named=True)):
        sign = 1 if reason["contribution"] > 0 else -1
        moved = {name: sign * shares[name][line] for name in groups(NAMES)[reason["group"]]}
        name = leading(moved, TOLD)
        known = frozenset(model.encoder.categories.get(name, ()))
        assert moved[name] > 0
        assert reason["sentence"] == FR.render(phrase(TOLD[name], Item(some.row(line, named=True)), known))


def test_what_adds_nothing_is_no_reason(model, rows):
    known = labelled(rows)
    found = reasons(replace(model, illicit=one_tree(model.encoder, known)), rows.tail(20), "en", top=100)
    assert (found["contribution"] != 0).all()
    assert 0 < found["rank"].max() <= 3  # the splits of a tree of four leaves


def one_tree(encoder, known):
    given = boosting.Rows(encoder.encode(known), known["is_illicit"].cast(pl.Float64).to_numpy())
    return boosting.fit_rounds(boosting.ILLICIT, {"num_leaves": 4}, 1, encoder, given, 1)


def test_no_rows_have_no_reasons(model, rows):
    found = reasons(model, rows.clear(), "zh")
    assert found.is_empty()
    assert found.columns == [*KEY, *SCHEMA]
    assert group_contributions(model, rows.clear()).columns == group_contributions(model, rows.head(1)).columns


@pytest.mark.parametrize("top", [0, -1])
def test_top_is_at_least_one(model, rows, top):
    with pytest.raises(ValueError, match=f"top is {top}; allowed: 1 or more"):
        reasons(model, rows, "en", top=top)


def test_a_model_of_unknown_features_is_refused(model, rows):
    features = [TOLD["office"], replace(TOLD["item_value"], name="moon")]
    known = labelled(rows).with_columns(moon=pl.lit(1.0))
    encoder = Encoder.fit(known, features)
    other = replace(model, encoder=encoder, illicit=one_tree(encoder, known))
    with pytest.raises(ValueError, match="feature 'moon' is not in the catalogue"):
        reasons(other, known, "en")


# Stability.


def contributions(values: list[list[float]], names: tuple[str, ...] = ("goods", "importer", "origin")) -> pl.DataFrame:
    keys = {"declaration_id": [f"D{i}" for i in range(len(values))], "item_number": [1] * len(values)}
    return pl.DataFrame(keys).hstack(pl.DataFrame(values, schema=list(names), orient="row")).with_columns(baseline=-2.0)


def measured(before, after, top=2, **changes):
    return stability(before, after, **{"top": top, "resamples": 200, "confidence": 0.9, "seed": 1} | changes)


def test_a_model_agrees_with_itself():
    before = contributions([[3.0, -2.0, 1.0], [0.5, 0.1, -0.2]])
    found = measured(before, before)
    assert (found.overlap.value, found.overlap.low, found.overlap.high) == (1, 1, 1)
    assert found.rank_correlation.value == pytest.approx(1)
    assert (found.rows, found.top) == (2, 2)


def test_figures_are_those_of_a_hand_count():
    before = contributions([[3.0, -2.0, 1.0], [0.5, 0.1, -0.2]])
    # The first keeps one of its two reasons; the second has both, but goods lowers now.
    after = contributions([[2.0, 0.1, 1.0], [-0.5, 0.1, -0.2]])
    found = measured(before, after)
    assert found.overlap.value == pytest.approx((1 / 3 + 1 / 3) / 2)
    expected = [spearmanr([3, -2, 1], [2, 0.1, 1])[0], spearmanr([0.5, 0.1, -0.2], [-0.5, 0.1, -0.2])[0]]
    assert found.rank_correlation.value == pytest.approx(np.mean(expected))


def test_what_only_one_model_has_adds_nothing_in_the_other():
    before = contributions([[3.0, -2.0]], ("goods", "importer"))
    after = contributions([[-2.0, 3.0, 5.0]], ("importer", "goods", "origin"))
    assert measured(before, after, top=1).overlap.value == 0
    assert measured(before, after, top=3).overlap.value == pytest.approx(2 / 3)
    assert measured(after, before, top=3) == measured(before, after, top=3)


def test_rows_that_say_nothing_are_left_out():
    before, after = contributions([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), contributions([[0.0] * 3, [1.0, 2.0, 3.0]])
    found = measured(before, after)
    assert (found.overlap.value, found.rank_correlation.value) == (1, pytest.approx(1))
    nothing = measured(before.head(1), after.head(1))
    assert nothing.overlap.value is None
    assert nothing.rank_correlation.reason == "no row defines the rank_correlation"
    assert measured(before.clear(), after.clear()).overlap.reason == "no row defines the overlap"


def test_intervals_hold_the_mean_and_narrow_with_rows():
    random = np.random.default_rng(4)

    def noisy(rows: int):
        before = random.normal(size=(rows, 3))
        return measured(
            contributions(before.tolist()), contributions((before + random.normal(size=(rows, 3))).tolist())
        )

    few, many = noisy(40), noisy(4000)
    for found in (few, many):
        assert found.overlap.low < found.overlap.value < found.overlap.high
        assert found.rank_correlation.low < found.rank_correlation.value < found.rank_correlation.high
    assert many.overlap.high - many.overlap.low < (few.overlap.high - few.overlap.low) / 4


def test_two_seeds_of_one_training_agree_in_part(model, rows):
    split = split_by_time(rows, TRAINING, 7)
    other = train(split.train, split.validation, CATALOGUE, TRAINING.model_copy(update={"seed": 8}), TARGETING)
    found = measured(*(group_contributions(each, split.test) for each in (model, other)), top=4)
    assert 0.1 < found.overlap.value < 1
    assert 0 < found.rank_correlation.value < 1


def test_other_rows_are_refused():
    before = contributions([[3.0, -2.0, 1.0], [0.5, 0.1, -0.2]])
    with pytest.raises(ValueError, match="2 rows before and 2 after are not the same declarations in order"):
        measured(before, before.reverse())
    with pytest.raises(ValueError, match="top is 0"):
        measured(before, before, top=0)


def test_figures_of_single_rows():
    assert np.isnan(overlap(np.zeros((1, 3)), np.zeros((1, 3)), 2)).all()
    assert np.isnan(rank_correlation(np.zeros((1, 3)), np.ones((1, 3)))).all()
    assert rank_correlation(np.array([[1.0, 2.0, 3.0]]), np.array([[3.0, 2.0, 1.0]])).tolist() == [-1.0]
