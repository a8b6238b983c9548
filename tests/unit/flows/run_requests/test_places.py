import pytest

from flows.parameters import RehearseParameters, RetrainParameters
from flows.run_requests import forms
from flows.run_requests.places import PlaceError, Readable
from flows.settings import Settings

ELSEWHERE = ["../elsewhere/a.csv", "files/../../elsewhere/*", ".hidden/a.csv", "state/a.csv", "state/*", "**/*.csv"]
ELSEWHERE += [
    "s3://customs/inside/x",
    "s3://customs/in/../x",
    "s3://customs",
    "http://x/y",
    "file:/etc/passwd",
    "/etc/*",
]
ELSEWHERE += ["/etc/*", "", ".", "~", "~root/x"]
ODD_MAPPINGS = ['[[files]]\npattern = "*.csv"', "files = 7", "files = [7]", "[[files]]", "no toml", ""]


@pytest.fixture
def project(tmp_path):
    """A project with files that may be read, a state folder within it, and a folder elsewhere."""
    working, elsewhere, more = (tmp_path / name for name in ("project", "elsewhere", "more"))
    for folder in (working / "files", working / "state", working / ".hidden", elsewhere, more):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x")
    return Readable(working, working / "state", (str(more), "s3://customs/in"))


def refused(places, *patterns):
    with pytest.raises(PlaceError, match=r"allowed|printed"):
        places.refuse("input", patterns)


def test_what_is_in_the_folder_and_what_the_setting_adds_is_read(project, tmp_path):
    files = ("files/a.csv", "files/*.csv", "*", str(tmp_path / "project" / "files" / "a.csv"), "new/*.csv")
    project.refuse("input", (*files, str(tmp_path / "more" / "*.csv"), "s3://customs/in/2024/*.csv"))


@pytest.mark.parametrize(
    "pattern",
    ELSEWHERE,
)
def test_what_is_elsewhere_is_not(project, pattern):
    refused(project, pattern)
    refused(project, "files/a.csv", pattern)


def test_hidden_parts_of_the_folders_own_path_do_no_harm(tmp_path):
    working = tmp_path / ".projects" / "customs"
    (working / "files").mkdir(parents=True)
    places = Readable(working, working / ".tidewaiter")
    places.refuse("input", ["files/*.csv", str(working / "files" / "*.csv")])
    refused(places, str(working / ".tidewaiter" / "x"))


def test_a_link_to_elsewhere_is_not_followed(project):
    link = project.working / "files" / "link.csv"
    link.symlink_to(project.working.parent / "elsewhere" / "a.csv")
    (project.working / "away").symlink_to(project.working.parent / "elsewhere")
    (project.working / "inner").symlink_to(project.working / "files")
    refused(project, "files/link.csv")
    refused(project, "away/*.csv")
    project.refuse("input", ["inner/a.csv"])
    project.refuse("input", ["files/*.csv"])  # only the run sees what a pattern finds
    with pytest.raises(PlaceError):
        project.refuse_links("input", (project.working / "files").glob("*.csv"))


@pytest.mark.parametrize("pattern", ["*/a.csv", "[.]hidden/a.csv", "?hidden/a.csv", "stat[e]/a.csv"])
def test_a_pattern_that_finds_what_is_hidden_is_refused_in_the_run(project, pattern, tmp_path):
    parameters = RetrainParameters(source="kcs", input=(str(project.working / pattern),))
    settings = Settings(state_folder=project.state)
    with pytest.raises(PlaceError):
        forms.judge_run(parameters, settings, project.working)


def test_a_run_reads_what_it_may(project):
    parameters = RetrainParameters(source="kcs", input=(str(project.working / "files" / "*.csv"),))
    forms.judge_run(parameters, Settings(state_folder=project.state), project.working)


@pytest.mark.parametrize("pattern", ["../../elsewhere/*", "/etc/passwd", "../state/*", "../.hidden/*", "s3://other/x"])
def test_a_mapping_names_no_files_elsewhere(project, pattern):
    mapping = project.working / "files" / "mapping.toml"
    mapping.write_text(f'[[files]]\npattern = "*.csv"\n[[files]]\npattern = "{pattern}"\n')
    with pytest.raises(PlaceError):
        project.refuse_mapping(mapping)


@pytest.mark.parametrize(
    "text", ['[[files]]\npattern = "*.csv"', "files = 7", "files = [7]", "[[files]]", "no toml", ""]
)
def test_what_a_mapping_says_besides_is_for_others_to_judge(project, text):
    mapping = project.working / "files" / "mapping.toml"
    mapping.write_text(text)
    project.refuse_mapping(mapping)


def test_a_rehearsal_of_the_service_writes_nowhere_else(project):
    with pytest.raises(ValueError, match="out is for the command line"):
        forms.judge(RehearseParameters(out=project.working / "files"), project, None)


def test_the_cluster_is_the_settings(project):
    asked = RetrainParameters(engine="ray", address="evil.example:6379")
    with pytest.raises(ValueError, match=r"is not the cluster of the settings; allowed: 10\.0\.0\.5:6379, or none"):
        forms.judge(asked, project, "10.0.0.5:6379")
    forms.judge(RetrainParameters(engine="ray", address="10.0.0.5:6379"), project, "10.0.0.5:6379")
