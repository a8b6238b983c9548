"""The command `reproduce`: whether a version comes out the same when it is made again."""

import signal
from typing import Annotated

import typer

from flows.commands.terminal import EXIT_CODES, INTERRUPTED, NOT_JUDGED, PURGED, begin, fail, failures, out

EPILOG = f"{EXIT_CODES}; also 1 if a stage differs, which is named; 5 not tried here; 6 its data were purged."


def reproduce(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Number of the version, as MLflow shows it.")],
) -> None:
    """Make a version again from its own code, libraries and data, and compare the model with the one that was signed.

    It trains in a folder of its own, for as long as a retraining takes, and touches neither data nor code here. The
    first stage that differs is named with both digests.
    """
    settings = begin()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # no server has to be ended, and files are to be removed
    from models.reproduction import NotTried, Purged, alone
    from models.reproduction import reproduce as stages
    from models.workspace import incumbents

    try:
        with failures(), alone(settings.state_folder) as scratch:
            for stage in stages(incumbents.registry_of(settings.places), settings.places, version, scratch):
                if not stage.is_same:
                    fail(
                        f"Version {version} comes out otherwise, first at the stage {stage.name}: it has "
                        f"{stage.stated}, and made again {stage.found}"
                    )
                out.print(f"same {stage.name:<12} {stage.found}", markup=False, highlight=False)
    except Purged as error:
        fail(f"Version {version} cannot be made again: {error}", PURGED)
    except NotTried as error:
        fail(f"Version {version} could not be made again here: {error}", NOT_JUDGED)
    except KeyboardInterrupt:
        fail("Stopped. Nothing was kept.", INTERRUPTED)
    out.print(f"Version {version} was made again: same model digest.")
