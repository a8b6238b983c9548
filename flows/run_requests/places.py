"""Where a run that people start in Prefect may read from: the working folder, and what the operator's setting adds.

A run reads as the user of the service, who may read more than the person who started it. So it may read nothing hidden
(`.tidewaiter` with its secrets, `.git`), nothing of the state folder, and nothing elsewhere, whether by `..`, by a
link, or by a mapping file that names it. On the command line a run reads as its own user, and none of this applies.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from features.reading import objects

_MAGIC = re.compile(r"[*?\[]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")  # a Path makes one slash of two
_LONGEST = 1_000


class PlaceError(ValueError):
    """A path that a run may not read."""


@dataclass(frozen=True)
class Readable:
    """Says what may be read.

    `working` is the project's folder, `state` in it is left out, and `more` is the setting input_folders.
    """

    working: Path
    state: Path
    more: tuple[str, ...] = ()

    def refuse(self, name: str, patterns: Iterable[str]) -> None:
        """Raise PlaceError if a path or glob pattern, as it was typed into field `name`, reaches elsewhere.

        >>> Readable(Path("/srv/customs"), Path("/srv/customs/.tidewaiter")).refuse("input", ["/etc/*"])
        Traceback (most recent call last):
        ...
        flows.run_requests.places.PlaceError: input '/etc/*' is not in the working folder; allowed: paths in it, ...
        """
        for pattern in patterns:
            if len(pattern) > _LONGEST or not pattern.isprintable():
                raise PlaceError(f"{name} is longer than {_LONGEST} characters, or has some that cannot be printed")
            if _ADDRESS.match(pattern):
                self._refuse_address(name, pattern)
            else:
                self._refuse_path(name, pattern)

    def refuse_links(self, name: str, files: Iterable[object]) -> None:
        """Raise PlaceError if a file that a pattern has found lies elsewhere; objects of a store have no links."""
        for file in files:
            if isinstance(file, Path) and not self._holds(file.resolve()):
                raise self._error(name, str(file))

    def refuse_mapping(self, mapping: Path) -> None:
        """Raise PlaceError if a mapping file lies elsewhere, or names files that do."""
        self.refuse("mapping", [str(mapping)])
        self.refuse_links("mapping", [mapping])
        try:
            said = tomllib.loads(mapping.read_text("utf-8"))
        except (OSError, ValueError):
            return  # the code that reads it next says what is wrong with it
        blocks = said.get("files")
        for block in blocks if isinstance(blocks, list) else []:
            pattern = block.get("pattern") if isinstance(block, dict) else None
            if not isinstance(pattern, str):
                continue
            if "://" in pattern:
                self.refuse(f"pattern of {mapping.name}", [pattern])
            else:
                # Both are judged, since a joined pattern with '..' could come back into the folder by another way.
                self.refuse(f"pattern of {mapping.name}", [pattern, str(mapping.absolute().parent / pattern)])
                self.refuse_links(f"pattern of {mapping.name}", mapping.parent.glob(pattern))

    def _refuse_path(self, name: str, pattern: str) -> None:
        path = Path(pattern)
        if ".." in path.parts or pattern.startswith("~") or not path.parts:
            raise self._error(name, pattern)
        literal: list[str] = []
        for part in path.parts:
            if _MAGIC.search(part):
                break
            literal.append(part)
        # `**` would walk into hidden folders as well.
        if any(part == "**" for part in path.parts):
            raise PlaceError(f"{name} {pattern!r}: '**' is not allowed; name the folders, as in 'data/*/*.csv'")
        relative = PurePosixPath(*path.parts[1:]) if path.is_absolute() else PurePosixPath(pattern)
        if any(part.startswith(".") for part in self._below(path, relative).parts):
            raise self._error(name, pattern)
        if not self._holds((self.working / Path(*literal)).resolve()):
            raise self._error(name, pattern)

    def _below(self, path: Path, relative: PurePosixPath) -> PurePosixPath:
        """Return the part of a path below its allowed folder, whose own name may have hidden parts."""
        if not path.is_absolute():
            return relative
        for folder in (self.working, *self._folders()):
            if path.is_relative_to(folder):
                return PurePosixPath(path.relative_to(folder))
        return relative

    def _refuse_address(self, name: str, pattern: str) -> None:
        is_ours = pattern.startswith(objects.SCHEME) and not {"..", "."} & set(pattern.split("/"))
        if not is_ours or not any(
            pattern.startswith(f"{each.rstrip('/')}/") for each in self.more if each.startswith(objects.SCHEME)
        ):
            raise self._error(name, pattern)

    def _holds(self, resolved: Path) -> bool:
        if resolved.is_relative_to(self.state.resolve()):
            return False
        working = self.working.resolve()
        if resolved.is_relative_to(working):
            return not any(part.startswith(".") for part in resolved.relative_to(working).parts)
        return any(resolved.is_relative_to(folder.resolve()) for folder in self._folders())

    def _folders(self) -> Sequence[Path]:
        return [Path(each) for each in self.more if not each.startswith(objects.SCHEME)]

    def _error(self, name: str, pattern: str) -> PlaceError:
        more = f", and {', '.join(self.more)}" if self.more else " (the setting input_folders adds others)"
        return PlaceError(
            f"{name} {pattern!r} is not in the working folder; allowed: paths in it, without '..' and hidden parts"
            f"{more}"
        )
