"""The commands that keep an installation safe: `backup`, `restore` and `upgrade`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from flows.commands.terminal import checked, fail, failures, out
from flows.processes import AlreadyRunningError
from flows.settings import Settings

_Done = TypeVar("_Done")

Target = Annotated[
    Path, typer.Argument(file_okay=False, metavar="FOLDER", help="Where the backup goes, on another disk.")
]


def backup(folder: Target) -> None:
    """Back everything up, as it is at one moment, while it runs; the keys go into a folder of their own beside it.

    Exit code 1 also if the installation itself is not whole; what there is of it is backed up all the same.
    """
    settings = checked(Settings)
    from flows import backup as room

    with failures():
        made = room.backup(settings, folder)
        found = room.read(made)
    size = sum(file.size for file in found.files.values())
    out.print(f"{made}: {len(found.files):,} files, {size / 1e6:,.0f} MB, as of {found.at:%Y-%m-%d %H:%M:%S} UTC")
    out.print(f"{made}{room.KEYS}: the keys. Move them to another place: with both, everything can be done.")
    for place in found.elsewhere:
        out.print(f"Not in it: what is in {place}.", markup=False)
    if found.faults:
        fail("\n".join(("This is not whole in the installation itself:", *found.faults)))


def restore(
    backup: Annotated[Path, typer.Argument(file_okay=False, metavar="BACKUP", help="A folder that `backup` has made.")],
    keys: Annotated[
        Path | None,
        typer.Option(file_okay=False, metavar="FOLDER", help="Its keys.", show_default="beside it"),
    ] = None,
) -> None:
    """Restore a backup to where the settings say, which must be empty; every byte and every reference is verified."""
    settings = checked(Settings)
    from flows import backup as room

    with failures():
        made = _alone(lambda: room.restore(settings, backup, keys))
    out.print(f"Restored as of {made.at:%Y-%m-%d %H:%M:%S} UTC, and verified. Next: `tidewaiter up`.")
    for fault in made.faults:
        out.print(f"It was not whole when it was backed up: {fault}", markup=False)


def upgrade(folder: Target) -> None:
    """Bring what an earlier release has left to this one: back up, migrate, verify; if that fails, go back.

    Stop `tidewaiter up` first. If it is killed, run it again: it goes back to the backup and begins anew.
    """
    settings = checked(Settings)
    from flows import backup as room

    with failures():
        done = _alone(lambda: room.upgrade(settings, folder))
    changed = [name for name in done.after if done.after[name] != done.before.get(name)]
    out.print(f"Migrated: {', '.join(changed) or 'nothing had to be'}. Everything verifies. Next: `tidewaiter up`.")
    out.print(f"As it was before: {done.backup}", markup=False, soft_wrap=True)


def _alone(step: Callable[[], _Done]) -> _Done:
    """Do what nobody may use the installation during; the command ends with a sentence if `up` does."""
    try:
        return step()
    except AlreadyRunningError as error:
        fail(f"{error}: stop it first")
