"""Papers for those outside: what they say follows from files that are cited, and the rest is a counted blank."""

import hashlib
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from flows.commands.dossier import Form
from models.disclosure import NAMES, Answers, draw_up, forms, pdf, write
from models.disclosure.answers import QUESTIONS
from models.disclosure.facts import FACTS
from models.disclosure.writing import page
from models.ledger import Book, LedgerError, reading
from models.site import LANGUAGES, Words
from tests.support.disclosed import SAID, SIGNERS
from tests.support.signing import POLICY

ROOM = Path(pdf.__file__).parent

ANSWERED = {name: f"answer to {name}" for name in QUESTIONS}


def answered(material, **told):
    written = "".join(f'{name} = "{text}"\n' for name, text in told.items()).encode()
    return replace(material, answers=Answers(told, written), files={**material.files, "dossier.toml": written})


def text_of(paper):
    return " ".join(said.statement.text for point in paper.points for said in point.said)


def point_of(paper, number):
    return next(point for point in paper.points if point.number == number)


def test_at_least_four_fifths_of_annex_iv_are_told_without_a_blank(material):
    paper = draw_up(material, "annex-iv", "en")
    asked = [point for point in paper.points if point.number[0] in "123469"]
    assert len(asked) == 23
    told = [point for point in asked if point.is_told]
    assert len(told) / len(asked) >= 0.8
    assert {point.number for point in asked} - {point.number for point in told} == {"1(a)", "3.2"}
    for point in told:
        assert not point.blanks
        assert point.said or point.see
        assert not any(said.statement.is_open for said in point.said)
    assert paper.told == len(told)
    assert paper.count.startswith("21 of 26 points are told without a blank. 6 questions wait for an answer in")


def test_without_signatures_nights_and_a_desk_as_many_are_told_and_what_is_not_known_is_said(material):
    evidence = {name: content for name, content in material.files.items() if name.startswith("evidence/")}
    bare = replace(material, book=Book(POLICY), entries=(), monitored=(), work=None, decided=None, files=evidence)
    paper = draw_up(bare, "annex-iv", "en")
    asked = [point for point in paper.points if point.number[0] in "123469"]
    assert sum(point.is_told for point in asked) / len(asked) >= 0.8
    assert not point_of(paper, "2(g)").is_told
    assert not point_of(paper, "3.3").is_told
    assert "Nobody has signed this version." in text_of(paper)
    assert "No night has looked at this version yet." in text_of(paper)


def test_trees_are_those_of_the_whole_bag(material):
    made = material.dossier.model
    training = made.training.model_copy(update={"rounds": 20, "further_rounds": (19, 22)})
    bagged = replace(material, dossier=replace(material.dossier, model=replace(made, training=training)))
    assert "61 trees for the chance" in text_of(draw_up(bagged, "annex-iv", "en"))


@pytest.mark.parametrize("form", NAMES)
def test_each_statement_cites_files_by_their_digests_and_each_blank_says_what_to_fill_in(form, material, tmp_path):
    paper = draw_up(material, form, "en")
    by_number = {source.number: source for source in paper.sources}
    assert list(by_number) == list(range(1, len(by_number) + 1))
    for point in paper.points:
        assert point.said or point.see or point.blanks
        for said in point.said:
            assert said.sources or said.statement.is_open, said.statement.text
            assert [by_number[number].name for number in said.sources] == list(said.statement.files)
            if table := said.statement.table:
                assert {len(row) for row in table.rows} <= {len(table.heads)}
    written = write(paper, material, tmp_path)
    for source in paper.sources:
        content = (written.sources / source.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source.sha256
        if source.name.startswith("evidence/") and source.name != "evidence/evidence.json":
            assert source.sha256 == material.manifest.files[source.name.removeprefix("evidence/")]
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=written.sources, capture_output=True)
    assert done.returncode == 0
    assert done.stdout.count(b": OK") == len(paper.sources)
    told = write(draw_up(answered(material, **ANSWERED), form, "en"), answered(material, **ANSWERED), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {told.html.name, told.pdf.name, told.sources.name}


@pytest.mark.parametrize("form", NAMES)
def test_answers_fill_the_blanks_and_are_told_as_they_stand(form, material):
    before, after = draw_up(material, form, "en"), draw_up(answered(material, **ANSWERED), form, "fr")
    assert before.blanks
    assert after.blanks == []
    assert before.told < after.told
    for blank in before.blanks:
        assert f"answer to {blank.key}" in text_of(after)
    (own,) = (source for source in after.sources if source.name == "dossier.toml")
    told = [said for point in after.points for said in point.said if said.statement.by_people]
    assert {number for said in told for number in said.sources} == {own.number}


def test_a_question_asked_twice_counts_once_and_is_filled_by_one_answer(material):
    paper = draw_up(material, "study", "en")
    assert len(paper.blanks) == len({blank.key for blank in paper.blanks})
    before = {blank.key for blank in paper.blanks}
    after = draw_up(answered(material, retention="ten years"), "study", "en")
    assert {blank.key for blank in after.blanks} == before - {"retention"}


def test_figures_are_those_of_the_evidence_the_ledger_and_the_desk(material):
    paper = draw_up(material, "annex-iv", "en")
    evaluation = material.dossier.judged.evaluation
    (performance,) = (
        said.statement for said in point_of(paper, "2(g)").said if said.statement.text.startswith("On 1,500")
    )
    auc = evaluation.model.roc_auc
    assert performance.table.rows[0][1] == f"{auc.value:.3f} [{auc.low:.3f}; {auc.high:.3f}]"
    signed = next(said.statement for said in point_of(paper, "2(g)").said if "signatures count" in said.statement.text)
    assert [row[:2] for row in signed.table.rows] == [*SIGNERS]
    departed = next(said.statement for said in point_of(paper, "3.3").said if "departed" in said.statement.text)
    assert "in 5 of 11 closed cases (45.5%)" in departed.text
    assert f"{SAID} (3)" in departed.text
    assert "2 departures have words of their own" in departed.text
    assert [row[1:] for row in departed.table.rows] == [
        ("1", "1", "100%", "0", "0", "1"),
        ("10", "4", "40%", "3", "1", "0"),
    ]
    monitored = text_of(paper)
    assert "2 looks from" in monitored
    assert "breaches: 1; not judged: 2. The last said: Nothing drifted." in monitored
    history = next(said.statement for said in point_of(paper, "6").said if said.statement.table)
    assert [row[2] for row in history.table.rows] == [
        "opened for signatures",
        "signed",
        "signed",
        "signed",
        "put into force",
    ]


def test_papers_for_everybody_name_nobody_and_tell_no_single_officers_words(material):
    names = {name for name, _ in SIGNERS} | {"eve", "ana", "ben"}
    for form in ("m-25-21", "atrs", "study"):
        paper = draw_up(material, form, "en")
        shown = re.sub(r"<[^>]+>", " ", page(paper))
        assert not set(re.findall(r"\w+", shown)) & names, form
        assert not re.search("Smith|Jones", shown)
    assert "Smith" not in material.files["desk.json"].decode()
    assert not set(re.findall(r"\w+", material.files["desk.json"].decode())) & names
    assert SAID in material.files["desk.json"].decode()


def test_what_was_refused_is_counted_and_the_ledger_has_it(material):
    paper = draw_up(material, "m-25-21", "en")
    assert "1 attempts about this version were against the rules" in text_of(paper)
    rows = [json.loads(json.loads(line)["entry"]) for line in material.files["ledger.jsonl"].decode().splitlines()]
    assert [row["action"] for row in rows] == ["open", *["approve"] * 4, "promote"]


def test_what_people_wrote_is_text_and_not_markup_or_a_place_to_fill(material):
    paper = draw_up(answered(material, owner="<script>alert(1)</script> {version} {0}"), "annex-iv", "en")
    assert "<script>alert(1)" not in page(paper)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {version} {0}" in page(paper)
    assert pdf.render(paper).startswith(b"%PDF-")


def test_the_page_needs_no_network_and_no_script(material):
    text = page(draw_up(material, "atrs", "zh"))
    assert '<html lang="zh-Hans">' in text
    assert not re.search(r"<script|https?://|url\(|@import", text)


def test_the_same_paper_is_the_same_pdf_with_its_fonts_and_its_language(material):
    paper = draw_up(material, "m-25-21", "zh")
    written = pdf.render(paper)
    assert written == pdf.render(paper)
    assert b"/Lang (zh-Hans)" in written
    assert written.count(b"/FontFile2") == 2
    assert len(written) < 1_000_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_of_the_words_is_in_both_fonts(language):
    words = Words.read(ROOM / "words", language)
    needed = {ord(each) for text in words.words.values() for each in text}
    for name in ("Paper-Regular.ttf", "Paper-Bold.ttf"):
        font = TTFont(ROOM / "fonts" / name)
        assert needed <= font.getBestCmap().keys()


def test_forms_name_facts_and_questions_that_there_are_and_leave_none_out():
    points = [point for form in NAMES for section in forms.read(form) for point in section.points]
    assert {fact for point in points for fact in point.facts} == FACTS.keys()
    assert {ask for point in points for ask in point.asks} == set(QUESTIONS)
    assert tuple(Form) == NAMES
    with pytest.raises(ValueError, match=r"form is 'gdpr'; allowed: annex-iv, m-25-21, atrs, study"):
        forms.read("gdpr")


def test_each_form_has_the_points_of_its_text():
    numbers = {form: [point.number for section in forms.read(form) for point in section.points] for form in NAMES}
    letters = [f"{section}({letter})" for section in (1, 2) for letter in "abcdefgh"]
    assert numbers["annex-iv"] == [*letters, "3.1", "3.2", "3.3", "3.4", "4", "5", "6", "7", "8", "9"]
    assert numbers["m-25-21"] == [str(number) for number in range(1, 33)]
    assert len(set(numbers["atrs"])) == len(numbers["atrs"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", NAMES)
def test_every_language_says_the_same_from_the_same_files(form, language, material):
    ours, english = draw_up(material, form, language), draw_up(material, form, "en")
    assert [source.name for source in ours.sources] == [source.name for source in english.sources]
    assert (ours.told, len(ours.blanks)) == (english.told, len(english.blanks))
    assert (ours.title == english.title) is (language == "en")
    assert "{" not in text_of(ours)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("ower = 'x'", "ower is not a question; allowed: owner, team"),
        ("owner = 3", "owner is no answer; allowed: text in quotes"),
        ("owner = '  '", "owner is no answer; allowed: text in quotes"),
        (f"owner = '{'x' * 20_001}'", "owner is no answer; allowed: text in quotes, up to 20,000 characters"),
        ("owner = ", "is not TOML in UTF-8"),
        ("[owner]\nname = 'x'", "owner is no answer"),
    ],
)
def test_a_file_of_answers_that_is_not_allowed_is_refused_by_its_key(content, told, tmp_path):
    file = tmp_path / "dossier.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=re.escape(told)) as refused:
        Answers.read(file)
    assert str(file) in str(refused.value)


def test_answers_are_read_without_blanks_around_them(tmp_path):
    file = tmp_path / "dossier.toml"
    assert Answers.read(file) == Answers({})
    file.write_text("owner = '''\n Customs of Ruritania \n'''\n")
    assert Answers.read(file).told == {"owner": "Customs of Ruritania"}


def test_no_paper_is_drawn_up_over_a_ledger_or_evidence_that_was_altered(made, monkeypatch):
    rows = reading.rows
    monkeypatch.setattr(reading, "rows", lambda uri: rows(uri)[:-1])
    with pytest.raises(LedgerError, match="cut off"):
        made.material()
    monkeypatch.undo()
    (card,) = (made.settings.state_folder / "artifacts").rglob("card.md")
    kept = card.read_bytes()
    try:
        card.write_bytes(kept + b" ")
        with pytest.raises(ValueError, match="not as it was sealed"):
            made.material()
    finally:
        card.write_bytes(kept)
