"""A paper as files: HTML and PDF, and beside them a folder with the sources that it cites, and their digests.

    annex-iv.en.html  annex-iv.en.pdf       the paper
    annex-iv.en.sources/...                 what it cites, under the names that it cites
    annex-iv.en.sources/SHA256SUMS          `sha256sum --check SHA256SUMS` in that folder compares them

The sources name those who signed and hold the desk's figures: a paper may be for everybody where they are not.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from features.presentation import pages
from models.disclosure import pdf
from models.disclosure.material import Material
from models.disclosure.paper import Paper

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Written:
    """Says where a paper lies: its page, its PDF, and the folder of its sources."""

    html: Path
    pdf: Path
    sources: Path


def write(paper: Paper, material: Material, folder: Path) -> Written:
    """Write a paper and its sources into a folder, which is made if it does not exist; OSError if that is not allowed.

    What an earlier paper of the same name left there is replaced.
    """
    name = f"{paper.form}.{paper.say.language}"
    written = Written(folder / f"{name}.html", folder / f"{name}.pdf", folder / f"{name}.sources")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(written.sources, ignore_errors=True)
    for source in paper.sources:
        path = written.sources / source.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(material.content(source.name))
    sums = "".join(f"{source.sha256}  {source.name}\n" for source in paper.sources)
    written.sources.mkdir(exist_ok=True)  # of a paper that cites nothing
    (written.sources / SUMS).write_text(sums, encoding="utf-8")
    written.html.write_text(page(paper), encoding="utf-8")
    written.pdf.write_bytes(pdf.render(paper))
    return written


def page(paper: Paper) -> str:
    """Return a paper as one HTML file that needs no network."""
    return pages.template("models", "paper.html").render(paper=paper, say=paper.say)
