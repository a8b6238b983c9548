"""Writes the tables of docs/messages.md, which element becomes which column: `python -m docs.make_messages`."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from features.messages import cusdec, json_form, wco

PAGE = Path(__file__).with_name("messages.md")
_TABLE = re.compile(r"(<!-- (\w+): .*? -->\n).*?(<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """Return the page with its tables written anew; what is outside them stays."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{_TABLES[found[2]]()}\n\n{found[3]}", text)


def _wco() -> str:
    head = ["| column | element, below `Declaration` | rule |", "| --- | --- | --- |"]
    return "\n".join([*head, *(_wco_row(mapped) for mapped in wco.MAPPED), _unmapped(m.column for m in wco.MAPPED)])


def _wco_row(mapped: wco.Mapped) -> str:
    item = wco.ITEM.rpartition("/")[2]
    paths = [path.replace(wco.ITEM, f"…/{item}") for path in mapped.paths]
    told = ", or else ".join(f"`{path}`" for path in paths)
    if mapped.then is not None:
        told += f", followed by `{mapped.then.replace(wco.ITEM, f'…/{item}')}`"
    rules = [_TAKING[mapped.taking], mapped.rule]
    return f"| `{mapped.column}` | {told} | {'; '.join(rule for rule in rules if rule)} |"


_TAKING = {
    "one": "",
    "first": "the first that says something",
    "sum": "each duty must have one",
    "kg": "`unitCode` `KGM`, or none",
    "container": "",
}


def _cusdec() -> str:
    head = ["| column | in the item | in the header | rule |", "| --- | --- | --- | --- |"]
    rows = [
        f"| `{mapped.column}` | {_places(mapped.at_item)} | {_places(mapped.at_header)} | {mapped.rule} |"
        for mapped in cusdec.MAPPED
    ]
    return "\n".join([*head, *rows, _unmapped(mapped.column for mapped in cusdec.MAPPED)])


def _places(places: Sequence[cusdec.Where]) -> str:
    if len(places) > 1 and {where.tag for where in places} == {"CST"}:
        return f"`CST`, elements {places[0].value[0]} to {places[-1].value[0]}"  # of which a code list chooses one
    return ", ".join(f"`{where}`" for where in places)


def _unmapped(mapped: Iterable[str]) -> str:
    """Return the sentence on the columns that a form has no element for."""
    names = {*mapped}
    left = [f"`{name}`" for name in json_form.COLUMNS if name not in names]
    return f"\nNo element is read for {', '.join(left[:-1])} and {left[-1]}, which stay empty."


_TABLES = {"wco": _wco, "cusdec": _cusdec}

if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
