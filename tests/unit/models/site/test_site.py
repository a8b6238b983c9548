"""What all our own pages share: the language, the forms, and what a browser is told about them."""

import string
import tomllib
from pathlib import Path

import pytest

import models
from models.access.call import Call, Refused
from models.site.forms import Form
from models.site.language import COOKIE, LANGUAGES, chosen
from models.site.site import Site
from tests.support import requests

FORM = "application/x-www-form-urlencoded; charset=utf-8"
CALL = Call("GET", "case", "<ann>", ("officer",), "10.0.0.7", "GET /case", {})


@pytest.fixture
def site(tmp_path):
    for name, text in (
        ("templates/case.html", "{% extends 'layout.html' %}{% block title %}{{ said }}{% endblock %}"),
        ("words/en.toml", '"title" = "Case {number}"'),
        ("words/fr.toml", '"title" = "Dossier {number}"'),
        ("words/zh.toml", '"title" = "案件 {number}"'),
        ("static/case.css", "p { color: red; }"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Site("case", tmp_path)


@pytest.mark.parametrize(
    ("asked", "cookie", "accepted", "language"),
    [
        ("fr", "zh", "en", "fr"),
        ("", "zh", "en", "zh"),
        ("de", "de", "fr-CH, en", "fr"),
        ("", "", "de, *;q=x, zh;q=0.2, en;q=0.9", "en"),
        ("", "", "", "en"),
    ],
)
def test_the_address_says_the_language_then_the_last_choice_then_the_browser(asked, cookie, accepted, language):
    headers = {"cookie": f"{COOKIE}={cookie}", "accept-language": accepted}
    assert chosen(requests.get("/case", headers, language=asked)) == language


def test_a_chosen_language_is_remembered(site):
    answer = site.render("case.html", CALL, requests.get("/case", language="fr"), {"said": "x"})
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=fr; HttpOnly")
    assert b'<html lang="fr">' in answer.body
    assert "set-cookie" not in site.render("case.html", CALL, requests.get("/case"), {"said": "x"}).headers


def test_each_page_of_played_days_says_that_nothing_is_real(site, tmp_path):
    played = Site("case", tmp_path, is_played=True)
    for language, word in (("en", "Simulated"), ("fr", "Simulation"), ("zh", "模拟")):
        asked = requests.get("/case", language=language)
        assert word in played.render("case.html", CALL, asked, {"said": "x"}).body.decode()
        assert word not in site.render("case.html", CALL, asked, {"said": "x"}).body.decode()


def test_what_people_say_is_text(site):
    body = site.render("case.html", CALL, requests.get("/case"), {"said": "<script>alert(1)</script>"}).body.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert "signed in as &lt;ann&gt;" in body


def test_a_page_runs_and_loads_nothing_of_other_sites(site):
    answer = site.render("case.html", CALL, requests.get("/case"), {"said": "x"})
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert b"//" not in answer.body.replace(b"<!doctype html>", b"")


def test_files_of_the_page_and_of_all_pages_are_there_and_no_others(site):
    assert site.file("case.css").body == b"p { color: red; }"
    assert site.file("htmx.min.js").media_type in ("text/javascript", "application/javascript")
    for name in ("nothing.css", "../words/en.toml", "", "templates/case.html"):
        with pytest.raises(Refused, match="has no file"):
            site.file(name)


def test_a_form_is_read_once_and_whole():
    form = Form.read(FORM, b"step=technical&reason=+finds%20more%0D%0Afraud%C3%A9+&empty=")
    assert form.text("reason") == "finds more\nfraudé"
    assert form.text("empty") == ""
    assert form.choice("step", ("technical", "governance")) == "technical"


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("application/json", b"{}", "Content-Type is 'application/json'"),
        (FORM, b"a=1&a=2", "a field twice"),
        (FORM, b"&".join(b"f%d=1" % i for i in range(60)), "cannot be read"),
        (FORM, b"a=%ff%fe", "cannot be read"),
        (FORM, "a=é".encode(), "cannot be read"),
    ],
)
def test_what_is_no_form_is_refused(kind, body, why):
    with pytest.raises(Refused, match=why):
        Form.read(kind, body)


@pytest.mark.parametrize("body", [b"", b"other=1", b"reason=" + b"x" * 5001, b"reason=a%00b", b"reason=%E2%80%AEevil"])
def test_a_field_that_cannot_be_kept_is_refused(body):
    with pytest.raises(Refused, match="reason"):
        Form.read(FORM, body).text("reason")


def test_a_choice_is_one_of_those_allowed():
    with pytest.raises(Refused, match="step is 'x'; allowed: technical, governance"):
        Form.read(FORM, b"step=x").choice("step", ("technical", "governance"))


def _fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize(
    "room", ["account_page", "criteria_page", "desk_page", "disclosure", "single_sign_on", "site", "signoff_page"]
)
def test_every_language_says_the_same_things(room):
    read = {}
    for language in LANGUAGES:
        text = (Path(models.__file__).parent / room / "words" / f"{language}.toml").read_text(encoding="utf-8")
        read[language] = tomllib.loads(text)
    for language, words in read.items():
        assert words.keys() == read["en"].keys(), language
        for key, text in words.items():
            assert text.strip(), (language, key)
            assert _fields(text) == _fields(read["en"][key]), (language, key)
