import re

import pytest

from models.notices import KINDS, writing
from models.notices.outbox import Batch
from models.site import LANGUAGES
from tests.support.noticed import FACTS, PAGES, START


def batch(kind, events):
    return Batch("0a1b", "rea", "json", kind, events, START)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_in_every_language_with_one_link(kind, language):
    title, text = writing.write(batch(kind, [(FACTS[kind], "https://own.example/it")]), language, PAGES)
    assert title.startswith("Tidewaiter: ")
    assert re.findall(r"https?://\S+", text) == ["https://own.example/it"]
    assert "0a1b" in text
    assert "{" not in title + text
    for name, value in FACTS[kind].items():
        assert name in ("role", "signed", "ends", "authors", "lane") or value in text


def test_languages_have_the_same_words_and_differ():
    texts = {
        language: writing.write(batch("waits", [(FACTS["waits"], "x")]), language, PAGES) for language in LANGUAGES
    }
    assert len(set(texts.values())) == len(LANGUAGES)
    read = {name: writing.Words.read(writing.Path(writing.__file__).parent / "words", name).words for name in LANGUAGES}
    assert read["en"].keys() == read["fr"].keys() == read["zh"].keys()


def test_a_digest_tells_some_counts_the_rest_and_leads_to_their_page():
    late = [({**FACTS["overdue"], "case": str(number)}, f"https://own.example/{number}") for number in range(100)]
    title, text = writing.write(batch("overdue", late), "en", PAGES)
    assert title == "Tidewaiter: the time limit of cases has passed (100)"
    lines = text.splitlines()
    assert lines[0] == "- Case 0, office 010, red lane: its time limit passed at 2024-05-02 05:00 UTC."
    assert len([line for line in lines if line.startswith("- Case")]) == writing.MOST
    assert lines[writing.MOST :] == [
        "... and 80 more.",
        "",
        "https://own.example/desk/supervision",
        "",
        "Message 0a1b: should it come twice, it is the same one.",
    ]


def test_a_digest_about_one_page_leads_there():
    both = [(FACTS["refused"], "https://own.example/3")] * 2
    assert "https://own.example/3\n" in writing.write(batch("refused", both), "en", PAGES)[1]


def test_braces_in_what_others_wrote_are_text():
    facts = {**FACTS["refused"], "why": "{version} {0} {"}
    assert "{version} {0} {" in writing.write(batch("refused", [(facts, "x")]), "en", PAGES)[1]
