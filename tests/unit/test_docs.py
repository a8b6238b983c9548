"""The pages say what the code says, and their links lead where they say."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from docs import make_contract, make_messages, make_roles, make_rooms
from features import families, messages
from features.matrix.matrix import CATALOGUE
from features.messages import cusdec, wco
from flows.commands import terminal
from flows.parameters import RetrainParameters
from flows.settings import PREFIX, Settings
from models import policy
from models.notices import KINDS
from models.risk.risk_model import OUTPUTS
from tests.attacks import attempts
from tests.support.shown import commands, python

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SHOWN = re.compile(r"(!?)\[[^\]]*\]\(([^)]+)\)")


def read(name: str) -> str:
    return (ROOT / name).read_text()


def anchors(page: Path) -> set[str]:
    """Return the anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_contract_page_is_current() -> None:
    assert make_contract.PAGE.read_text() == make_contract.page(), "run: python -m docs.make_contract"


def test_the_tables_of_the_page_of_messages_are_current() -> None:
    text = make_messages.PAGE.read_text()
    assert text == make_messages.page(text), "run: python -m docs.make_messages"
    assert text.count("\n| `") > len(wco.MAPPED) + len(cusdec.MAPPED)


def test_the_messages_that_are_shown_become_rows_and_the_code_beside_them_runs() -> None:
    text = read("docs/messages.md")
    for kind in messages.KINDS:
        name = kind.removeprefix("application/")
        (content,) = re.findall(rf"^```{name}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        found = messages.read(content.encode(), kind, datetime(2024, 3, 1, 9, 30))
        assert (found.rows.height, found.refusals) == (1, ())
    for name, code in python().items():
        if name.startswith("docs/messages.md"):
            exec(code, {})


def test_the_page_of_rooms_is_current() -> None:
    assert make_rooms.PAGE.read_text() == make_rooms.page(), "run: python -m docs.make_rooms"


def test_a_benchmark_is_run_as_it_says() -> None:
    told = re.compile(r"^ +python (?:-m benchmarks\.|benchmarks/)(\w+)", re.MULTILINE)
    says = {file.stem: set(told.findall(file.read_text())) for file in (ROOT / "benchmarks").glob("*.py")}
    assert sum(map(bool, says.values())) > 10
    assert [(name, shown) for name, shown in says.items() if shown - {name}] == []


def test_every_term_of_the_glossary_is_where_it_says() -> None:
    places = re.findall(r"\| `([\w/.]+)`(?:: `(\w+)`)? \|$", read("docs/glossary.md"), re.MULTILINE)
    assert len(places) >= 30
    for file, name in places:
        assert (ROOT / file).exists(), file
        assert not name or re.search(rf"\b{name}\b", read(file)), (file, name)


def test_every_stop_of_a_walk_is_a_room_and_none_is_visited_twice() -> None:
    for walk in read("docs/walks.md").split("\n## ")[1:]:
        stops = re.findall(r"^\| `(\w+)\.(\w+)` \|", walk, re.MULTILINE)
        assert len(stops) > 10
        assert len(set(stops)) == len(stops)
        found = [ROOT / package / room for package, room in stops]
        assert all((room / "__init__.py").exists() or room.with_suffix(".py").exists() for room in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_are_there(page: Path) -> None:
    for _, target in SHOWN.findall(page.read_text()):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("code", python().values(), ids=python())
def test_what_a_block_of_python_imports_is_there(code: str) -> None:
    imported = [line for line in code.splitlines() if line.startswith(("import ", "from "))]
    assert imported
    compile(code, "shown", "exec")
    exec("\n".join(imported), {})


def test_each_thing_that_others_have_not_is_cited() -> None:
    table = read("README.md").partition("## What it has that others have not")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!what |---)(.+) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) > 10
    for what, where in rows:
        assert "](docs/" in where, what
        assert all((ROOT / path).exists() for path in re.findall(r"`([^`]+)`", where)), where


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

    assert _counted(r"deploys (\w+) runs:", "docs/data-scientist.md") == len(names)
    nights = {name for name in names if name.endswith("/nightly")}
    assert _counted(r"As delivered all (\w+) work", "docs/operator.md") == len(nights)
    nights.add("quarter/quarterly")  # it is counted and watched as they are
    sample = read("docs/operator.md").partition("tidewaiter status\n")[2]
    assert set(re.findall(r"last night of (\S+)", sample)) == nights
    (shown,) = re.findall(r"^ok   deployments +(.+)$", sample, re.MULTILINE)
    assert shown == ", ".join(sorted(names))


def _counted(pattern: str, page: str) -> int:
    """The number that a sentence has as a word."""
    (word,) = re.findall(pattern, read(page))
    return ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten").index(word) + 1


def test_targets_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets, page


def test_the_tests_are_shown_as_they_are_run() -> None:
    (shown,) = re.findall(r"pytest (-n .+?) +#", read("docs/contributor.md"))
    (run,) = re.findall(r"pytest -q (-n .+?) --durations", read("Makefile"))
    assert shown == run


def test_parameters_of_a_retraining_and_options_of_a_rehearsal_are_told() -> None:
    rows = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", read("docs/data-scientist.md"), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert set(RetrainParameters.model_fields) <= told
    options = set(re.findall(r"`(--[\w-]+)`", read("docs/rehearsal.md")))
    (rehearse,) = (each for each in commands().values() if each.name == "rehearse")
    assert {each.opts[0] for each in rehearse.params} - {"--help"} <= options


def test_what_a_model_gives_is_told() -> None:
    given = (
        read("docs/data-scientist.md").partition("makes such a frame of a dataset) and gives ")[2].partition("\n\n")[0]
    )
    assert set(re.findall(r"`(\w+)`", given)) == set(OUTPUTS)


def test_features_are_counted() -> None:
    assert [int(number) for page in PAGES for number in re.findall(r"\b(\d{3}) features\b", page.read_text())]
    for page in PAGES:
        assert set(re.findall(r"\b(\d{3}) features\b", page.read_text())) <= {str(len(CATALOGUE))}, page
    combinations = sum(each.inspections is not None for each in CATALOGUE)
    assert f"{combinations} single columns and combinations" in read("docs/data-scientist.md")


def test_each_family_is_told_and_its_worth_on_each_source() -> None:
    names = {family.NAME for family in families.FAMILIES}
    told = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", read("docs/data-scientist.md"), re.MULTILINE)
    assert names <= set(told)
    tables = read("docs/targeting.md").split("| left out |")[1:]
    assert [set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) for table in tables] == [names, names]


def test_decisions_are_listed_by_their_titles() -> None:
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((decisions/.+)\)$", read("docs/contributor.md"), re.MULTILINE)
    files = sorted((ROOT / "docs" / "decisions").iterdir())
    assert [f"docs/{file}" for _, _, file in listed] == [file.relative_to(ROOT).as_posix() for file in files]
    for number, title, file in listed:
        assert read(f"docs/{file}").splitlines()[0] == f"# {number}. {title}"


def test_exit_codes_and_notifications_are_told() -> None:
    page = read("docs/operator.md")
    codes = re.findall(r"^\| (\d) \| ", page.partition("## Exit codes")[2].partition("##")[0], re.MULTILINE)
    assert [int(code) for code in codes] == sorted(
        {
            terminal.OK,
            terminal.FAILED,
            terminal.USAGE,
            terminal.NOT_RUNNING,
            terminal.GATES_FAILED,
            terminal.NOT_JUDGED,
            terminal.PURGED,
        }
    )
    rows = re.findall(
        r"^\| (`.+) \| .+ \| .+ \|$", page.partition("| kind | is told | to |")[2].partition("\n\n")[0], re.M
    )
    assert [kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)] == list(KINDS)


def test_signoff_steps_are_named() -> None:
    assert all(f"`signoff.{step.name}`" in read("docs/reviewer.md") for step in policy.load().signoff.steps)


def test_the_attempts_of_the_attack_suite_are_counted() -> None:
    """Where the page says `N attempts, each refused or detected`, N is what the tests make."""
    page = ROOT / "docs" / "security.md"
    told = re.findall(r"\b([\d,]+) attempts\b", page.read_text() if page.exists() else "")
    assert {int(number.replace(",", "")) for number in told} <= {attempts.count()}


def test_the_page_of_roles_is_what_the_rules_say():
    assert make_roles.PAGE.read_text() == make_roles.page(), "run: python -m docs.make_roles"
