from pathlib import Path

import pytest

from models.registry import serving, serving_code

PROJECT = Path(serving.__file__).parents[2]

FILES = {
    "script.py": "import os\nimport models.risk.trees\nfrom features.goods import chapters\n",
    "features/__init__.py": "",
    "features/goods/__init__.py": "",
    "features/goods/chapters.py": "def words():\n    from features.goods.spelling import spell\n",
    "features/goods/spelling.py": "from features import network\n",
    "features/goods/words.txt": "wine",
    "features/goods/found_by_name.py": "from features.texts import texts\n",
    "features/goods/deeper/words.txt": "beer",
    "features/network/__init__.py": "",
    "features/texts/__init__.py": "",
    "features/texts/texts.py": "",
    "features/other/__init__.py": "",
    "models/__init__.py": "",
    "models/risk/__init__.py": "from models import names\n",
    "models/names.toml": "",
    "models/risk/trees.py": "import flows.settings\nimport numpy\n",
    "models/names.py": "import models.risk.trees\n",
    "models/pages.py": "",
    "models/policy.toml": "",
    "flows/__init__.py": "",
    "flows/settings.py": "",
}
LEFT = {
    "script.py",
    "features/goods/deeper/words.txt",
    "features/other/__init__.py",
    "models/pages.py",
    "models/names.toml",
    "models/policy.toml",
    "flows/__init__.py",
    "flows/settings.py",
}


@pytest.fixture
def project(tmp_path):
    for name, text in FILES.items():
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "project"


def copied(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_rooms_that_are_imported_are_copied_whole_and_no_other(project, tmp_path):
    copy = tmp_path / "copy"
    assert serving_code.copy(project / "script.py", project, copy) == [copy / "features", copy / "models"]
    assert copied(copy) == FILES.keys() - LEFT
    assert (copy / "features/goods/words.txt").read_text() == "wine"


def test_no_page_and_no_server_goes_with_a_model(tmp_path):
    serving_code.copy(Path(serving.__file__), PROJECT, tmp_path)
    assert {"models/risk/risk_model.py", "features/contract.py", "features/network/matching.json"} <= copied(tmp_path)
    assert not [name for name in copied(tmp_path) if name.endswith((".js", ".html", ".css")) or "server" in name]
