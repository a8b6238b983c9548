"""The unit of deploy/systemd: what systemd itself says of it, if installed, and that it fits what `up` asks for."""

import re
import shutil
import subprocess
from pathlib import Path

from flows.settings import PREFIX, Settings

UNIT = Path(__file__).parents[4] / "deploy" / "systemd" / "tidewaiter.service"


def directives():
    found = {}
    for line in UNIT.read_text().splitlines():
        if match := re.fullmatch(r"([A-Za-z]+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def test_it_may_change_user_and_no_more_and_its_children_get_nothing_new():
    found = directives()
    for name in ("CapabilityBoundingSet", "AmbientCapabilities"):
        assert found[name] == ["CAP_SETUID CAP_SETGID"]
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["User"] != ["root"]
    assert found["UMask"] == ["0077"]
    assert "RestrictSUIDSGID" not in found  # or no folder could hand on its group
    assert "MemoryDenyWriteExecute" not in found  # nor Numba work


def test_it_writes_where_its_settings_say_and_nowhere_else():
    found = directives()
    environment = dict(pair.split("=", 1) for line in found["Environment"] for pair in line.split())
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if PREFIX in name}
    assert settings.keys() <= Settings.model_fields.keys()
    assert found["ProtectSystem"] == ["strict"]
    writable = found["ReadWritePaths"][0].split()
    assert settings["state_folder"] in writable
    assert str(Path(settings["data_folder"]).parent) in writable  # .dvc is written beside it
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        assert environment[name].startswith(settings["state_folder"])
    assert found["SupplementaryGroups"] == [settings["run_as"]]
    assert not any(found["WorkingDirectory"][0].startswith(path) for path in writable)


def test_systemd_reads_it(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/tidewaiter/.venv/bin/tidewaiter", "/bin/true"))
    if program := shutil.which("systemd-analyze"):
        done = subprocess.run([program, "verify", copy], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    for name, values in directives().items():  # without it, at least no line is said twice that counts once
        assert len(values) == 1 or name == "Environment"
