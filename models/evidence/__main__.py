"""Writes committed.json, by which an image or a bundle without git knows its commit: `python -m models.evidence`."""

import sys

from models.evidence import manifest

if __name__ == "__main__":
    try:
        sys.stdout.write(f"{manifest.deliver(manifest.PROJECT)}\n")
    except ValueError as error:
        sys.exit(str(error))
