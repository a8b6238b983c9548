"""A paper as PDF: A4, with an outline, and with its fonts within it.

The fonts are shipped (fonts/THIRD_PARTY.md), for Latin letters and Chinese in one: where fpdf2 falls back from one font
to another within a line, it draws letters of the wrong one. A character that they lack is shown as an empty box.
"""

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode

from models.disclosure.paper import Paper, Point, Said
from models.disclosure.statement import Table

_FONTS = Path(__file__).parent / "fonts"
_FONT = "Paper"
_MARGIN, _FOOT, _KEPT = 18.0, 20.0, (50.0, 28.0)  # millimetres; _KEPT of a page, below the head of each level
_TITLE, _SECTION, _POINT, _BODY, _SMALL = 16.0, 12.5, 10.5, 9.0, 7.0  # sizes of letters, in points
_LINE = 0.5  # of a line, in millimetres for each point of its letters
_TEXT, _MUTED = (27, 31, 36), (91, 100, 112)
_WARN, _BAD, _PEOPLE = (253, 240, 213), (251, 228, 226), (232, 240, 250)

_Colour = tuple[int, int, int]


def render(paper: Paper) -> bytes:
    """Return the paper as PDF; the same paper is the same bytes."""
    document = _Document(paper)
    document.add_page()
    document.line_of(paper.title, _TITLE, bold=True)
    document.line_of(paper.subject, _BODY)
    document.line_of(paper.count, _BODY, bold=True, fill=_WARN if paper.blanks else None)
    document.line_of(paper.say("about"), _SMALL, colour=_MUTED)
    for section in paper.sections:
        document.head_of(f"{section.number}. {section.title}", 0, _SECTION)
        for point in section.points:
            _point(document, point)
    document.head_of(paper.say("sources"), 0, _SECTION)
    document.line_of(paper.say("sources.hint"), _SMALL, colour=_MUTED)
    heads = (paper.say("head.number"), paper.say("head.file"), "SHA-256")
    rows = [(str(source.number), source.name, source.sha256) for source in paper.sources]
    if rows:
        document.table_of(Table(heads, rows), widths=(1.4, 5.2, 9.4))
    return bytes(document.output())


class _Document(FPDF):
    """A document in the fonts and the language of a paper, with its name and the page's number at the foot."""

    def __init__(self, paper: Paper) -> None:
        super().__init__(format="A4")
        self.say = paper.say
        self._foot = f"{paper.title}, {paper.subject}"
        self._wrap = WrapMode.CHAR if paper.say.language == "zh" else WrapMode.WORD
        self.set_creation_date(paper.at)
        self.set_title(paper.title)
        self.set_subject(paper.subject)
        self.set_lang("zh-Hans" if paper.say.language == "zh" else paper.say.language)
        self.add_font(_FONT, "", _FONTS / "Paper-Regular.ttf")
        self.add_font(_FONT, "B", _FONTS / "Paper-Bold.ttf")
        self.set_margin(_MARGIN)
        self.set_auto_page_break(True, margin=_FOOT)

    def footer(self) -> None:
        self.set_y(-_FOOT + 6)
        self.set_font(_FONT, size=_SMALL)
        self.set_text_color(*_MUTED)
        self.cell(0, 6, f"{self._foot}   {self.page_no()} / {{nb}}", align="C")

    def head_of(self, text: str, level: int, size: float) -> None:
        """Write a head, which the outline has too, with room below it for some lines on the same page."""
        if self.will_page_break(_KEPT[level]):
            self.add_page()
        self.ln(2)
        self.start_section(text, level=level, strict=False)
        self.line_of(text, size, bold=True)

    def line_of(
        self, text: str, size: float, bold: bool = False, colour: _Colour = _TEXT, fill: _Colour | None = None
    ) -> None:
        """Write a paragraph."""
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(*colour)
        if fill:
            self.set_fill_color(*fill)
        self.multi_cell(
            0, _LINE * size, text, fill=fill is not None, align="L", new_x="LMARGIN", new_y="NEXT", wrapmode=self._wrap
        )
        self.ln(1)

    def table_of(self, told: Table, widths: Sequence[float] | None = None) -> None:
        """Write a table, whose head is repeated on each page."""
        self.set_font(_FONT, "", _SMALL)
        self.set_text_color(*_TEXT)
        self.set_draw_color(*_MUTED)
        self.set_fill_color(255)
        with self.table(
            col_widths=tuple(widths or _widths(told)),
            text_align="LEFT",
            line_height=_LINE * _SMALL,
            borders_layout="HORIZONTAL_LINES",
            wrapmode=self._wrap,
            padding=0.8,
        ) as table:
            for row in (told.heads, *told.rows):
                table.row(tuple(row))
        self.ln(2)


def _point(document: _Document, point: Point) -> None:
    document.head_of(f"{point.number} {point.title}", 1, _POINT)
    for said in point.said:
        _said(document, said)
    if point.see:
        document.line_of(document.say("see", points=", ".join(point.see)), _BODY, colour=_MUTED)
    for blank in point.blanks:
        document.line_of(f"{document.say('blank')} {blank.question} [{blank.key}]", _BODY, fill=_WARN)


def _said(document: _Document, said: Said) -> None:
    statement = said.statement
    cited = "".join(f" [{number}]" for number in said.sources)
    opening = f"{document.say('open')} " if statement.is_open else ""
    fill = _BAD if statement.is_open else _PEOPLE if statement.by_people else None
    document.line_of(f"{opening}{statement.text}{cited}", _BODY, fill=fill)
    if statement.table and statement.table.rows:
        document.table_of(statement.table)


def _widths(told: Table) -> list[float]:
    """Return a width for each column: by its longest text, within bounds."""
    columns = zip(told.heads, *told.rows, strict=True)
    return [float(min(max(8, *(len(text) for text in column)), 40)) for column in columns]
