import pytest

from models.notices import KINDS, Pages, Person, Recipients
from tests.support.noticed import PAGES, event, file_of

REA = """
[[recipients]]
account = "rea"
language = "fr"
urls = ["json://one.example/", "json://two.example/secret", "mailtos://u:secret@mail.example?to=rea@mail.example"]
"""
SHARED = """
[[recipients]]
role = "operator"
urls = ["json://ops.example/"]
kinds = ["run-failed"]
"""


def test_without_a_file_nobody_is_told(tmp_path):
    assert Recipients.read(tmp_path / "none.toml", PAGES, ()).everyone == ()


def test_it_is_read_with_a_name_for_each_address(read):
    found = read(f'own_url = "https://customs.example/"\n{REA}{SHARED}')
    assert found.pages == Pages("https://customs.example", PAGES.runs)
    rea, shared = found.everyone
    assert list(rea.channels) == ["json", "json 2", "mailtos"]
    assert (rea.language, rea.kinds, shared.language, shared.kinds) == ("fr", tuple(KINDS), "en", ("run-failed",))
    assert [*found.addresses] == [
        ("rea", "json"),
        ("rea", "json 2"),
        ("rea", "mailtos"),
        ("role operator (en)", "json"),
    ]
    assert found.accounts == ["rea"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[recipients]\n", r"notices.toml is not TOML: .*line 1"),
        ("own_ulr = 'x'", "own_ulr is not known; allowed: own_url, runs_url, recipients"),
        ("own_url = 'customs.example'", "own_url is 'customs.example'; allowed: the address of a server"),
        ("recipients = 3", r"recipients is no list of tables; allowed: \[\[recipients\]\]"),
        (f"{REA}lang = 'fr'", "line 2: lang is not known; allowed: account, role, language, kinds, urls"),
        (REA.replace("fr", "de"), "line 2: language is 'de'; allowed: en, fr, zh"),
        (f"{REA}role = 'reviewer'", "line 2: it needs one of account and role"),
        (f"{REA}{SHARED.replace('operator', 'boss')}", "line 7: role is 'boss'; allowed: data-scientist, operator"),
        (SHARED.replace("run-failed", "late"), "line 2: kinds has 'late'; allowed: waits, "),
        (SHARED.replace('["json://ops.example/"]', "[]"), "line 2: urls is empty; allowed: one or more"),
        (SHARED.replace('["json://ops.example/"]', "'json://x'"), "line 2: urls is no list of texts"),
        (SHARED.replace('"operator"', "3"), "line 2: role is no text"),
        (SHARED.replace("json://ops.example/", "secret"), r"line 2: urls\[1\] is no address; allowed: .*mailtos"),
        (SHARED.replace("json:", "jsno:"), r"line 2: urls\[1\] begins with 'jsno', which Apprise does not know"),
        (SHARED.replace("json://ops.example/", "slack://secret"), r"line 2: urls\[1\] is not whole"),
        (f"{SHARED}{SHARED}", r"role operator \(en\) is there twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_secrets(read, text, told):
    with pytest.raises(ValueError, match=told) as refused:
        read(text)
    assert "secret" not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path):
    file = file_of(tmp_path, REA)
    file.chmod(0o640)
    with pytest.raises(ValueError, match=r"is open to others \(mode 640\); allowed: mode 600"):
        Recipients.read(file, PAGES, ())
    file.chmod(0o600)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="cannot be read"):
        Recipients.read(file, PAGES, ())


REVIEWER, SUE = Person({"reviewer"}), Person({"supervisor"}, {"010"})


@pytest.mark.parametrize(
    ("told", "person", "is_told"),
    [
        (event("waits", role="reviewer"), REVIEWER, True),
        (event("waits", role="reviewer"), Person(), False),
        (event("waits", role="reviewer", but=("Rea ",)), REVIEWER, False),
        (event("waits", role="reviewer", but=("ann",)), REVIEWER, True),
        (event("refused", role="reviewer", accounts=(" REA",)), Person(), True),
        (event("refused", role="reviewer", accounts=("eve",)), REVIEWER, False),  # it concerns its authors alone
        (event("overdue", role="supervisor", office="010"), SUE, True),
        (event("overdue", role="supervisor", office="020"), SUE, False),
        (event("run-failed"), REVIEWER, False),
    ],
)
def test_an_account_is_told_what_concerns_it_its_roles_and_its_offices(read, told, person, is_told):
    (rea,) = read(REA).everyone
    assert rea.is_told(told, person) is is_told


def test_a_role_is_told_all_that_concerns_it_of_its_kinds(read):
    (shared,) = read(SHARED).everyone
    assert shared.is_told(event("run-failed", accounts=("eve",), but=("rea",), office="020"), Person())
    assert not shared.is_told(event("overdue"), Person())
    assert not shared.is_told(event("run-failed", role="reviewer"), Person({"operator"}))
