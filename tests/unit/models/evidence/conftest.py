from pathlib import Path

import pytest

from models.evidence import source_code


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project: its packages, a lock file, and the module by which git is asked whose the code is."""
    project = tmp_path / "project"
    for package in source_code.PACKAGES:
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").write_text(f"# {package}\n")
    (project / "models" / "evidence").mkdir()
    (project / "models" / "evidence" / "source_code.py").write_text("# this one\n")
    (project / source_code.LOCK_FILE).write_text("polars==2.1\n")
    return project
