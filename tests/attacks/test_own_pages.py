"""Our own pages: forms of other sites, of roles that have no say, of nobody, and bodies that are too large."""

from urllib.parse import urlencode

import pytest

from tests.attacks.scene import WAITING
from tests.attacks.test_pages import PAGES, headers
from tests.support.signoff_server import ADMINISTRATOR

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GIVEN = "/api/2.0/tidewaiter/offices/accounts"
CRITERION = {
    "do": "propose",
    "name": "of-the-attacker",
    "lane": "red",
    "places": "1",
    "begins_on": "2026-01-01",
    "ends_on": "2026-01-02",
    "column_1": "importer_id",
    "operator_1": "in",
    "values_1": "I-1",
    "reason": "x",
}
# What is sent to each page, by whom it may be, and who else tries.
FORMS = {
    "a signature": (
        f"/signoff/versions/{WAITING}",
        {"step": "governance", "decision": "approved", "reason": "x"},
        "rea",
    ),
    "a refusal": (f"/signoff/versions/{WAITING}", {"step": "governance", "decision": "rejected", "reason": "x"}, "rea"),
    "a case": ("/desk/next", {"office": "010"}, "ola"),
    "a finding": ("/desk/cases/1/finding", {"key": "k", "what": "nothing", "release": "1"}, "ola"),
    "a ruling": ("/desk/cases/1/settle", {"reason": "x"}, "sue"),
    "a criterion": ("/criteria/new", CRITERION, "pia"),
    "a step": ("/criteria/step", {"step": "confirm", "name": "any", "reason": "x"}, "pia"),
}
OTHERS = {
    "/signoff": ("dan", "ana", "aud", "ola", "sue", "pia", ADMINISTRATOR),
    "/desk": ("dan", "ana", "rea", "aud", "pia", ADMINISTRATOR),
    "/criteria": ("dan", "ana", "rea", "ola"),
}
NO_ANALYST = ("aud", "sue", ADMINISTRATOR)  # they see criteria


def page_of(path):
    return next(page for page in OTHERS if path.startswith(page))


@pytest.mark.attempts(len(PAGES))
@pytest.mark.parametrize("form", FORMS)
def test_another_site_sends_no_form(scene, form):
    path, fields, who = FORMS[form]
    with scene.unchanged(), scene.server.client(who) as client:
        before = scene.last()
        for page in PAGES:
            answer = client.post(path, content=urlencode(fields), headers={**headers(scene, page), **FORM})
            assert answer.status_code == 403, page
        assert scene.last() == before


@pytest.mark.attempts(7)
@pytest.mark.parametrize("form", FORMS)
def test_who_has_no_say_changes_nothing(scene, form):
    path, fields, _ = FORMS[form]
    with scene.unchanged():
        for who in OTHERS[page_of(path)]:
            answer = scene.send(who, "POST", path, content=urlencode(fields), headers=FORM)
            assert answer.status_code == 403, who


@pytest.mark.parametrize("who", NO_ANALYST)
@pytest.mark.parametrize("form", ["a criterion", "a step"])
def test_who_sees_criteria_has_no_say_in_them(scene, form, who):
    path, fields, _ = FORMS[form]
    with scene.refused(who):
        assert scene.send(who, "POST", path, content=urlencode(fields), headers=FORM).status_code in (400, 403, 404)


@pytest.mark.attempts(2 * len(FORMS))
def test_nobody_sends_a_form_or_sees_a_page(scene):
    with scene.unchanged(), scene.server.client("rea") as client:
        client.auth = None
        for path, fields, _ in FORMS.values():
            assert client.post(path, content=urlencode(fields), headers=FORM).status_code == 401
            assert client.get(page_of(path)).status_code == 401


@pytest.mark.attempts(14)
def test_only_an_administrator_gives_offices(scene):
    with scene.unchanged():
        for who in ("dan", "ana", "rea", "aud", "ola", "sue", "pia"):
            for about in ("ola", "sue"):
                answer = scene.send(who, "POST", GIVEN, {"username": about, "offices": ["010", "020"]})
                assert answer.status_code == 403, who


@pytest.mark.attempts(len(FORMS))
def test_a_form_is_no_larger_than_it_may_be(scene):
    with scene.unchanged():
        for path, fields, who in FORMS.values():
            told = urlencode({**fields, "more": "x" * 10_000_001})
            assert scene.send(who, "POST", path, content=told, headers=FORM).status_code == 413, path


@pytest.mark.attempts(4 * len(FORMS))
def test_a_body_of_another_kind_is_no_form(scene):
    with scene.unchanged():
        for path, fields, who in FORMS.values():
            for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain", ""):
                given = {"Content-Type": kind} if kind else {}
                answer = scene.send(who, "POST", path, content=urlencode(fields), headers=given)
                assert answer.status_code in (409, 415), (path, kind)


@pytest.mark.attempts(3 * len(FORMS))
def test_forms_come_by_post_alone(scene):
    with scene.unchanged():
        for path, fields, who in FORMS.values():
            for method in ("PUT", "DELETE", "PATCH"):
                answer = scene.send(who, method, path, content=urlencode(fields), headers=FORM)
                assert answer.status_code == 404, (path, method)


FOREIGN = (
    "/desk/cases/1/photos/" + "0" * 64,
    "/desk/%2e%2e/signoff",
    "/desk/cases/..%2f1",
    "/signoff/versions/3/%2e%2e/%2e%2e/mlflow.db",
    "/signoff/versions/3/model/MLmodel",
    "/desk/words/en.toml",
    "/criteria/templates/criteria.html",
)


@pytest.mark.attempts(4 * len(FOREIGN))
def test_no_page_serves_files_that_are_not_its_own(scene):
    with scene.unchanged():
        for path in FOREIGN:
            for who in ("ola", "rea", "pia", "aud"):
                assert scene.send(who, "GET", path).status_code in (403, 404, 409), (who, path)
