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
        elif isinstance(statement, ast.Assign):
            names = {ast.unparse(target) for target in statement.targets}
            if names == {"__all__"}:
                listed = frozenset(ast.literal_eval(statement.value))
            bound |= names
    return listed - bound


class Faces(Contract):
    """The sub-packages of `packages` are rooms; import-linter runs in the project's folder."""

    type_name = "faces"
    packages = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for imports of modules that lie behind a face, and for what a face lists and does not have."""
        faults: list[str] = []
        for package in self.packages:
            for room in sorted(each for each in graph.find_children(package) if graph.find_children(each)):
                public = {f"{room}.{name}" for name in public_modules(Path(*room.split(".")))}
                faults += [
                    f"{name} is listed in the face of {room} and does not exist" for name in public - graph.modules
                ]
                for module in graph.find_descendants(room) - public:
                    importers = graph.find_modules_that_directly_import(module)
                    others = [each for each in importers if not f"{each}.".startswith(f"{room}.")]
                    faults += [f"{each} imports {module}, which is behind the face of {room}" for each in others]
        return ContractCheck(kept=not faults, metadata={"faults": sorted(faults)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Write a fault a line."""
        for fault in check.metadata["faults"]:
            output.print_error(fault)
