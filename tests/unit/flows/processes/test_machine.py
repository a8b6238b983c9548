"""When the machine refuses something, people are told in a sentence, whichever library reported it."""

import errno
import os
import sqlite3
from types import SimpleNamespace

import polars as pl
import pytest
import typer
from sqlalchemy.exc import OperationalError

from features.store.versioning import VersionError
from flows.commands import terminal
from flows.processes import machine
from flows.settings import Settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    return Settings(state_folder="state")


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def caused(error, by):
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FULL, "the disk is full; make room"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "the disk is full"),
        (VersionError("data: DVC failed: [Errno 28] No space left on device"), "the disk is full"),
        (pl.exceptions.ComputeError("No space left on device (os error 28)"), "the disk is full"),
        (caused(RuntimeError("a step failed"), FULL), "the disk is full"),
        (OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")), "the disk is full"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "data/x"), "a file system cannot be written to"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "a file system cannot be written to"),
        (MemoryError(), "there is not enough memory"),
        (RuntimeError("std::bad_alloc"), "there is not enough memory"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "there is not enough memory"),
        (OperationalError("x", {}, sqlite3.OperationalError("database is locked")), "another program has had the data"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_each_refusal_is_told_with_what_to_do(settings, capsys, error, told):
    assert told in machine.refusal(error, settings)
    with pytest.raises(typer.Exit) as ended, terminal.failures():
        raise error
    assert ended.value.exit_code == terminal.FAILED
    said = capsys.readouterr().err
    assert told in said
    assert "goes on from there" in said


def test_a_full_disk_is_told_with_the_room_of_each_folder(settings, tmp_path):
    assert f"{tmp_path}/state: " in machine.refusal(FULL, settings)


def test_what_is_no_matter_of_the_machine_is_none(settings):
    assert machine.refusal(ValueError("row 3"), settings) is None
    handled = ValueError("row 3")
    handled.__context__, handled.__suppress_context__ = FULL, True
    assert machine.refusal(handled, settings) is None
    with pytest.raises(ZeroDivisionError), terminal.failures():
        raise ZeroDivisionError


@pytest.mark.parametrize(("free", "told"), [(2**20 - 4096, True), (2**20, False)])
def test_an_error_that_says_nothing_is_told_with_a_disk_that_is_full(settings, monkeypatch, free, told):
    """As Prefect's client has it of its server: '500 Internal Server Error'."""
    found = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_flag=0)
    monkeypatch.setattr(machine.os, "statvfs", lambda folder: found)
    said = machine.refusal(RuntimeError("500 Internal Server Error\nmore"), settings)
    assert (said is not None) is told
    if said:
        assert said.startswith("RuntimeError: 500 Internal Server Error: ")
        assert " has 1 MB left; make room" in said


@pytest.mark.parametrize(
    ("flag", "free", "told"),
    [
        (0, machine.LEAST_FREE_BYTES, None),
        (0, machine.LEAST_FREE_BYTES - 4096, " MB left; make room: nights need 500 MB"),
        (os.ST_RDONLY, 10 * machine.LEAST_FREE_BYTES, "cannot be written to"),
    ],
)
def test_a_disk_that_nights_cannot_write_to_is_not_fit(settings, monkeypatch, flag, free, told):
    found = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_flag=flag)
    monkeypatch.setattr(machine.os, "statvfs", lambda folder: found)
    sentences = list(machine.unfit(settings, machine.LEAST_FREE_BYTES))
    assert bool(sentences) is bool(told)
    if told:
        assert len(sentences) == len(machine.folders(settings))
        assert told in sentences[0]
