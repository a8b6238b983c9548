"""The documentation's site has every page, asks nothing of the internet, and is searched without a server."""

import json
import re
import shutil
from pathlib import Path

import pytest
from mkdocs.exceptions import Abort

from docs import make_site
from tests.support.shown import PAGES, ROOT

# What a browser loads by itself, while the address of a link is loaded only if somebody follows it.
LOADED = re.compile(r"""<(?!a\b)[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)|url\(["']?((?:https?:)?//[^"')]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    make_site.make(folder)
    return folder


def test_every_page_is_there_and_can_be_searched(site: Path) -> None:
    pages = {page.relative_to(ROOT).with_suffix(".html").as_posix() for page in PAGES} - {"README.html"}
    assert all((site / page).exists() for page in {*pages, "index.html", "CHANGELOG.html"})
    text = (site / "search" / "search_index.js").read_text()
    assert text.startswith("var __index = ")
    found = json.loads(text.removeprefix("var __index = "))["docs"]
    assert pages <= {each["location"].partition("#")[0] for each in found}


def test_nothing_is_loaded_from_the_internet(site: Path) -> None:
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert files
    assert [found for file in files for found in LOADED.findall(file.read_text())] == []
    assert LOADED.findall('<script src="https://unpkg.com/iframe-worker/shim">')
    assert LOADED.findall("@import url(//fonts.example/a.css)")
    assert not LOADED.findall('<a href="https://example.org">')


def test_a_link_that_leads_nowhere_and_a_page_without_a_place_end_the_build(tmp_path: Path) -> None:
    for name in ("README.md", "CHANGELOG.md", "mkdocs.yml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "play.md").open("a") as page:
        page.write("\n[page](gone.md) [part](play.md#gone) [file](../models/policy.toml)\n")
    (tmp_path / "docs" / "more.md").write_text("# More\n")
    with pytest.raises(Abort, match="4 warnings"):
        make_site.make(tmp_path / "site", tmp_path)
