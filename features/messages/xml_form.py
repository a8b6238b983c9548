"""Declarations in XML: the DMS declaration of the WCO data model 3.6, read by the paths of `wco`.

The message comes from outside. Entities, document types, external files and huge trees are refused. Elements without a
path in `wco` are not read.
"""

import re
from functools import cache

from lxml import etree

from features.messages.told import Cell, Declaration, Fault, Item, MessageRefused, merged, refuse_too_many
from features.messages.values import added, shown
from features.messages.wco import GOODS_LOCATION, ITEM, MAPPED, METADATA, MODEL_VERSION, NAMESPACE, Mapped

ENCODINGS = (b"UTF-8", b"US-ASCII")
_ENCODING = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["']([\x21-\x7e]*?)["']""")
ORIGINAL, REPLACEMENT = "9", "5"  # UN/EDIFACT 1225
KILOGRAM = "KGM"
CONTAINER = re.compile(r"[A-Z]{4}\d{7}", re.ASCII)
_ROOTS = f"MetaData of {METADATA}, or Declaration of {NAMESPACE}"
_PREFIXES = {"d": NAMESPACE}
# The names of elements within a path: not attributes, functions, or values in quotes.
_NAME = re.compile(r"(?<![\w@:'.])([A-Z]\w*)")


def declarations(content: bytes) -> list[Declaration]:
    """Return the declarations of a message, with the faults of their form; MessageRefused if it is no such XML."""
    root = _root(content)
    version = root.findtext(f"{{{METADATA}}}WCODataModelVersionCode")
    if version is not None and version.strip() != MODEL_VERSION:
        raise MessageRefused("MetaData/WCODataModelVersionCode", shown(version), MODEL_VERSION)
    name = f"{{{NAMESPACE}}}Declaration"
    found = [root] if root.tag == name else root.findall(name)
    refuse_too_many("MetaData/Declaration", len(found), sum(len(_items(each)) for each in found))
    paths = ["Declaration" if len(found) == 1 else f"Declaration[{place}]" for place in range(1, len(found) + 1)]
    return [_declaration(each, path) for each, path in zip(found, paths, strict=True)]


def _root(content: bytes) -> etree._Element:
    """Return the root of a message in UTF-8 without a document type, so that no entity ever reaches the parser."""
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MessageRefused("message", f"byte {error.start} is not UTF-8", "XML in UTF-8") from None
    stated = _ENCODING.match(content)
    if stated and stated[1].upper() not in ENCODINGS:
        raise MessageRefused("message", f"encoding {shown(stated[1].decode())}", "XML in UTF-8")
    if b"<!DOCTYPE" in content:
        raise MessageRefused("message", "a document type (DOCTYPE)", "XML without one")
    parser = etree.XMLParser(
        encoding="UTF-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise MessageRefused("message", shown(str(error.msg)), "well-formed XML") from None
    if root.tag not in (f"{{{METADATA}}}MetaData", f"{{{NAMESPACE}}}Declaration"):
        name = etree.QName(root)
        raise MessageRefused("message", f"{shown(name.localname)} of {shown(name.namespace)}", _ROOTS)
    return root


def _declaration(found: etree._Element, path: str) -> Declaration:
    shared, faults = _Section(found, f"{path}/", ""), _faults(found, path)
    cells = {mapped.column: shared.cell(mapped) for mapped in (*MAPPED, GOODS_LOCATION)}
    declaration = Declaration(cells["declaration_id"], faults=[*faults, *shared.faults], remarks=shared.remarks)
    for place, each in enumerate(_items(found), 1):
        own = _Section(each, f"{path}/{ITEM}[{place}]", ITEM)
        of_item = {mapped.column: own.cell(mapped) for mapped in MAPPED if mapped.paths[0].startswith(ITEM)}
        declaration.items.append(Item(merged(cells, of_item), own.faults, own.remarks))
    return declaration


def _faults(found: etree._Element, path: str) -> list[Fault]:
    """Return what keeps a declaration as a whole from being read: its function, its kind, the number of its items."""

    def text(name: str) -> str | None:
        return (found.findtext(f"d:{name}", None, _PREFIXES) or "").strip() or None

    faults = []
    function, kind, stated = text("FunctionCode"), text("TypeCode"), text("GoodsItemQuantity")
    if function not in (ORIGINAL, REPLACEMENT):
        allowed = f"{ORIGINAL} (original) or {REPLACEMENT} (replaces all that was declared)"
        faults.append(Fault(f"{path}/FunctionCode", shown(function), allowed))
    if kind is not None and kind.startswith("EX"):
        faults.append(Fault(f"{path}/TypeCode", shown(kind), "an import declaration"))
    items = len(_items(found))
    if not items:
        faults.append(Fault(f"{path}/{ITEM}", shown(None), "at least one goods item"))
    if stated is not None and stated != str(items):
        faults.append(Fault(f"{path}/GoodsItemQuantity", shown(stated), f"{items}, as many as there are"))
    return faults


def _items(declaration: etree._Element) -> list[etree._Element]:
    return declaration.findall(_prefixed(ITEM), _PREFIXES)


class _Section:
    """A declaration, or one of its items: gives the cells of the paths that begin there, and collects what is wrong."""

    def __init__(self, found: etree._Element, path: str, begin: str) -> None:
        self.found, self.path, self.begin = found, path, begin
        self.faults: list[Fault] = []
        self.remarks: list[Fault] = []

    def cell(self, mapped: Mapped) -> Cell:
        """Return the cell of a column, with the first path of this section if nothing is there."""
        own = [path for path in mapped.paths if path.startswith(ITEM) == bool(self.begin)]
        for path in own:
            given = self._taken(path, mapped)
            if given is not None:
                return self._cell(path, given + self._then(mapped))
        return self._cell(own[0] if own else mapped.paths[0], None)

    def _cell(self, path: str, given: str | None) -> Cell:
        return Cell(self._element(path), given, is_shared=not self.begin)

    def _element(self, path: str) -> str:
        return self.path + path.removeprefix(self.begin)

    def _then(self, mapped: Mapped) -> str:
        return "" if mapped.then is None else self._one(mapped.then, self._nodes(mapped.then)) or ""

    def _nodes(self, path: str) -> list[etree._Element | str]:
        return _compiled(path, self.begin)(self.found)

    def _taken(self, path: str, mapped: Mapped) -> str | None:
        nodes = self._nodes(path)
        if mapped.taking == "first":
            return next((text for text in map(_text, nodes) if text), None)
        if mapped.taking == "container":
            return self._container(path, list(filter(None, map(_text, nodes))))
        if mapped.taking == "sum":
            return self._summed(path, nodes)
        if mapped.taking == "kg":
            units = {node.get("unitCode", KILOGRAM) for node in nodes if not isinstance(node, str)}
            for unit in units - {KILOGRAM}:
                self.faults.append(Fault(f"{self._element(path)}/@unitCode", shown(unit), f"{KILOGRAM} (kilograms)"))
        return self._one(path, nodes)

    def _one(self, path: str, nodes: list[etree._Element | str]) -> str | None:
        if len(nodes) > 1:
            self.faults.append(Fault(self._element(path), f"given {len(nodes)} times", "once"))
        return _text(nodes[0]) if nodes else None

    def _container(self, path: str, identifications: list[str]) -> str | None:
        """Return the first number of a container, and leave remarks on other identifications of equipment."""
        for text in identifications:
            if not CONTAINER.fullmatch(text):
                self.remarks.append(Fault(self._element(path), shown(text), "a container's number, as MSCU1234565"))
        numbers = [text for text in identifications if CONTAINER.fullmatch(text)]
        is_sure = (
            self.begin or len(identifications) == 1
        )  # no element says in which container of the shipment an item is
        return numbers[0] if numbers and is_sure else None

    def _summed(self, path: str, nodes: list[etree._Element | str]) -> str | None:
        """Return the sum of all rates at `path`; None if there is none, and a fault if a duty has none of its own."""
        rates = list(filter(None, map(_text, nodes)))
        duties = len(self._nodes(path.rpartition("/")[0]))
        if rates and len(rates) < duties:
            told = f"{len(rates)} rates for {duties} duties"
            self.faults.append(Fault(self._element(path), told, "a rate for each duty"))
        return added(rates)


def _text(node: etree._Element | str) -> str | None:
    return ((node if isinstance(node, str) else node.text) or "").strip() or None


def _prefixed(path: str) -> str:
    return _NAME.sub(r"d:\1", path)


@cache
def _compiled(path: str, begin: str) -> etree.XPath:
    """Return `path` for elements at `begin`, with the namespace in its names."""
    rest = path.removeprefix(begin)
    relative = f"self::*{rest}" if rest.startswith("[") else rest.removeprefix("/")
    return etree.XPath(_prefixed(relative), namespaces=_PREFIXES)
