"""The secrets of days: kept from others, committed to before they are used, and published once their day is over."""

from datetime import date, timedelta

import pytest

from models.live import chance
from models.window.secrets import Secrets

DAY = date(2024, 5, 2)
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path / "days")


def test_a_days_secret_is_made_once_committed_to_and_kept_from_others(secrets, log):
    secret = secrets.of(DAY, log)
    assert secrets.of(DAY, log) == secrets.read(DAY, log) == secret != secrets.of(NEXT, log)
    assert log.days() == [(day, chance.commitment(secrets.of(day, log)), None) for day in (DAY, NEXT)]
    assert secrets.folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in secrets.folder.iterdir()} == {
        "2024-05-02.hex": 0o600,
        "2024-05-03.hex": 0o600,
    }


@pytest.mark.parametrize("text", ["", "no digits", "ab" * 31, "ab" * 33])
def test_a_file_that_holds_no_secret_is_refused(secrets, log, text):
    secrets.of(DAY, log)
    (secrets.folder / "2024-05-02.hex").write_text(text)
    with pytest.raises(ValueError, match=r"hexadecimal|secret has"):
        secrets.of(DAY, log)


def test_a_secret_that_was_not_committed_to_is_refused(secrets, log):
    secrets.of(DAY, log)
    (secrets.folder / "2024-05-02.hex").write_text("ab" * 32)
    with pytest.raises(ValueError, match="the secret of 2024-05-02 is another one"):
        secrets.of(DAY, log)


def test_what_is_published_is_what_lies_before_a_day_and_then_anybody_reads_it(secrets, log, tmp_path):
    first, _ = secrets.of(DAY, log), secrets.of(NEXT, log)
    others = Secrets(tmp_path / "not there")
    for day in (DAY, NEXT):
        with pytest.raises(LookupError, match=f"the secret of {day} is not published yet"):
            others.read(day, log)
    secrets.publish(DAY, log)
    assert [secret for *_, secret in log.days()] == [None, None]
    secrets.publish(NEXT, log)
    assert [secret for *_, secret in log.days()] == [first.hex(), None]
    assert others.read(DAY, log) == first
    (secrets.folder / "2024-05-02.hex").unlink()
    secrets.publish(NEXT, log)  # what is published is not looked for again
    assert [file.name for file in secrets.folder.iterdir()] == ["2024-05-03.hex"]
