"""The page of the network says the same in every language, and asks nobody but its own server."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

import models.network_page

STATIC = Path(models.network_page.__file__).parent / "static"
WORDS = {path.name.split(".")[1]: json.loads(path.read_text("utf-8")) for path in STATIC.glob("words.*.json")}
ELSEWHERE = re.compile(r"""(?:https?:)?//(?=[\w-]+\.)[^\s"'`)]*""")
NAMESPACES = {"http://www.w3.org/2000/svg"}


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


def read(name: str) -> str:
    return (STATIC / name).read_text("utf-8")


@pytest.mark.parametrize("language", sorted(WORDS.keys() - {"en"}))
def test_a_language_has_the_words_and_placeholders_of_english(language: str):
    assert {key: placeholders(text) for key, text in WORDS[language].items()} == {
        key: placeholders(text) for key, text in WORDS["en"].items()
    }
    assert all(text.strip() for key, text in WORDS[language].items() if key not in ("path.then", "status.and"))


def test_the_languages_are_those_the_page_offers():
    offered = re.search(r"LANGUAGES = \{(.*?)\}", read("words.js"))[1]
    assert set(re.findall(r"(\w+):", offered)) == set(WORDS)


def test_every_word_the_page_asks_for_is_there_and_no_other():
    code = "".join(path.read_text("utf-8") for path in sorted(STATIC.glob("*.js")))
    html = read("index.html")
    asked = set(re.findall(r'data-(?:words|label)="([^"]+)"', html)) | set(
        re.findall(r'"([a-z_]+(?:\.[a-z]+)*)"', code)
    )
    patterns = [
        re.sub(r"\\\$\\\{.*?\\\}", ".+", re.escape(text)) for text in re.findall(r"`([\w.]*\$\{[^`]*?\}[\w.]*)`", code)
    ]
    made = re.compile("|".join(patterns))
    plain = {re.sub(r"\.(one|other)$", "", key) for key in WORDS["en"]}
    assert not {key for key in plain if key not in asked and not made.fullmatch(key)}
    assert (
        set(re.findall(r'(?:say|count)\("([^"]+)"', code)) | set(re.findall(r'data-(?:words|label)="([^"]+)"', html))
        <= plain
    )


@pytest.mark.parametrize(
    "path", [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg", ".json"}]
)
def test_nothing_is_fetched_from_elsewhere(path: Path):
    text = path.read_text("utf-8")
    if "vendor" in path.parts:
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert not set(ELSEWHERE.findall(text)) - NAMESPACES


def test_no_script_stands_in_the_page():
    html = read("index.html")
    assert not re.findall(r"<script(?![^>]* src=)", html)
    assert not re.findall(r"\son\w+=|javascript:", html)
    assert not [path for path in STATIC.glob("*.js") if "innerHTML" in path.read_text("utf-8")]


def test_what_the_vendor_made_is_what_its_note_says():
    note = read("vendor/README.md")
    for path in (STATIC / "vendor").glob("*.js"):
        assert sha256(path.read_bytes()).hexdigest() in note


def test_nothing_lies_there_that_is_not_served_on_purpose():
    kinds = {path.suffix for path in STATIC.rglob("*") if path.is_file()}
    assert kinds == {".html", ".css", ".js", ".json", ".svg", ".LICENSE", ".md"}
