"""A contract for import-linter: other rooms import what a room's face hands on, and no module behind it.

The face is `__all__` in the room's `__init__`: names, and modules that others may import as a whole. The contract is
named in pyproject.toml.
"""

import ast
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def public_modules(room: Path) -> frozenset[str]:
    """Return the modules that the `__init__` in folder `room` hands on: what it lists and neither imports nor makes."""
    listed: frozenset[str] = frozenset()
    bound: set[str] = set()
    for statement in ast.parse((room / "__init__.py").read_text()).body:
        if isinstance(statement, ast.ImportFrom):
            bound |= {each.asname or each.name for each in statement.names}
        elif isinstance(statement, ast.ClassDef | ast.FunctionDef):
            bound.add(statement.name)
        elif isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["__all__"]:
            listed = frozenset(ast.literal_eval(statement.value))
    return listed - bound


class Faces(Contract):
    """The sub-packages of `packages` are rooms; import-linter runs in the project's folder."""

    type_name = "faces"
    packages = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for imports of modules that lie behind a face."""
        behind = []
        for package in self.packages:
            rooms = {room for room in graph.find_children(package) if graph.find_children(room)}
            for room in sorted(rooms):
                public = {f"{room}.{name}" for name in public_modules(Path(*room.split(".")))}
                for module in sorted(graph.find_descendants(room) - public):
                    importers = graph.find_modules_that_directly_import(module)
                    behind += [(each, module) for each in sorted(importers) if not f"{each}.".startswith(f"{room}.")]
        return ContractCheck(kept=not behind, metadata={"behind": behind})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Write an import a line."""
        for importer, module in check.metadata["behind"]:
            output.print_error(f"{importer} imports {module}, which is behind the room's face")
