"""The commands of docs/auditor.md that verify a model's signature without Tidewaiter, run as they stand there."""

import re
import shutil
import subprocess
from pathlib import Path

from models.ledger import Keys
from tests.support.shown import ROOT


def shown() -> str:
    """Return the block of commands."""
    page = (ROOT / "docs" / "auditor.md").read_text()
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return block


def verified(folder: Path, keys: Keys) -> "subprocess.CompletedProcess[str]":
    """Run them where `folder` is called `evidence-2` and the public key is beside it."""
    assert folder.name == "evidence-2"
    shutil.copyfile(keys.public_key_file, folder.parent / "ledger.pub")
    command = ["bash", "-euo", "pipefail", "-c", shown()]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
