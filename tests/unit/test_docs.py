"""The pages say what the code says, and lead where they say they lead."""

import re
from pathlib import Path

import pytest
import yaml
from typer import Typer

from docs import make_contract
from features import families
from flows.cli import app
from flows.settings import PREFIX, Settings
from models import policy
from tests.attacks import attempts

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SHOWN = re.compile(r"(!?)\[[^\]]*\]\(([^)]+)\)")


def read(name: str) -> str:
    return (ROOT / name).read_text()


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_contract_page_is_current() -> None:
    assert make_contract.PAGE.read_text() == make_contract.page(), "run: python -m docs.make_contract"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_are_there(page: Path) -> None:
    for _, target in SHOWN.findall(page.read_text()):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_and_picture_is_linked() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for _, target in SHOWN.findall(page.read_text())
    }
    there = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "images").iterdir()]
    assert [path for path in there if path not in linked] == []


def _written(default: object) -> object:
    """As a settings file has it."""
    return list(default) if isinstance(default, tuple) else default


def test_the_settings_table_is_complete() -> None:
    rows = dict(re.findall(rf"^\| `(\w+)` \| `{PREFIX}(?:\w+)` \| (.*?) ?\|", read("docs/operator.md"), re.MULTILINE))
    expected = {
        name: "" if field.default is None else f"`{_written(field.default)}`"
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected
    assert all(f"`{PREFIX}{name.upper()}`" in read("docs/operator.md") for name in expected)


def test_deployments_and_their_nights_are_as_deployed() -> None:
    declared = yaml.safe_load(read("prefect.yaml"))["deployments"]
    names = {f"{each['entrypoint'].partition(':')[2]}/{each['name']}": each.get("schedules", []) for each in declared}
    told = set(re.findall(r"^\| `(\w+/[\w-]+)` \|", read("docs/data-scientist.md"), re.MULTILINE))
    assert told == set(names)
    for schedules in names.values():
        assert all(f"`{schedule['cron']}`" in read("docs/operator.md") for schedule in schedules)


def test_commands_and_targets_exist() -> None:
    groups = {group.name or "": group.typer_instance for group in app.registered_groups}
    known = {*groups, *_commands(app)}
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"(?:^    |`|bin/)tidewaiter ([a-z]+)", text, re.MULTILINE)) <= known, page
        for name, group in groups.items():
            assert set(re.findall(rf"tidewaiter {name} ([a-z-]+)", text)) <= _commands(group), page
        assert set(re.findall(r"(?:^    |`)make ([a-z]+)", text, re.MULTILINE)) <= targets, page


def _commands(group: Typer) -> set[str]:
    return {each.name or each.callback.__name__ for each in group.registered_commands if each.callback}


def test_families_and_signoff_steps_are_named() -> None:
    told = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", read("docs/data-scientist.md"), re.MULTILINE)
    assert {family.NAME for family in families.FAMILIES} <= set(told)
    assert all(f"`signoff.{step.name}`" in read("docs/reviewer.md") for step in policy.load().signoff.steps)


def test_the_attempts_of_the_attack_suite_are_counted() -> None:
    """Where the page says `N attempts, each refused or detected`, N is what the tests make."""
    page = ROOT / "docs" / "security.md"
    told = re.findall(r"\b([\d,]+) attempts\b", page.read_text() if page.exists() else "")
    assert {int(number.replace(",", "")) for number in told} <= {attempts.count()}
