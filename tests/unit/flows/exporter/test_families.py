"""What was seen becomes series, with the values worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

from features.store.store import BatchRecord, Manifest, PartitionFile
from flows.exporter import families
from flows.host.status import Check, Night, Status
from flows.watching.unjudged import Unjudged
from models.desk.standing import Standing
from tests.support import signing

NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)


def told(*found):
    """Return the value of each series: by name, and by its labels if it has any."""
    series = {}
    for each in found:
        for sample in each.samples:
            name = sample.name.removeprefix("tidewaiter_")
            series[(name, *sample.labels.values()) if sample.labels else name] = sample.value
    return series


def night(deployment, day, state, minutes=10.0, started=True):
    due = datetime(2024, 5, day, 1, 30, tzinfo=UTC)
    begun = due + timedelta(minutes=1) if started else None
    return Night(
        deployment=deployment,
        due_at=due,
        state=state,
        started_at=begun,
        duration_s=minutes * 60 if started else None,
        reason="",
    )


def test_the_last_good_night_and_how_the_last_one_ended():
    checks = (Check(name="up", is_ok=True, detail=""), Check(name="disk", is_ok=False, detail=""))
    nights = (
        night("retrain/nightly", 1, "Completed", 20.0),
        night("retrain/nightly", 2, "Failed", 5.0),
        night("retrain/nightly", 3, "Running"),
        night("retrain/nightly", 4, "Scheduled", started=False),
        night("select/nightly", 2, "Completed", 7.0),
    )
    found = told(*families.of_status(Status(is_running=True, checks=checks, nights=nights)))
    ended = datetime(2024, 5, 1, 1, 51, tzinfo=UTC).timestamp()
    assert found["night_last_success_timestamp_seconds", "retrain/nightly"] == ended
    assert (found["night_last_ok", "retrain/nightly"], found["night_last_ok", "select/nightly"]) == (0.0, 1.0)
    assert found["night_last_duration_seconds", "retrain/nightly"] == 300.0
    assert (found["check_ok", "up"], found["check_ok", "disk"]) == (1.0, 0.0)


def test_nights_that_were_not_judged_are_counted():
    noted = [Unjudged("kcs"), Unjudged("simulator", ("quality",), ("2024-05-01", "2024-05-02"))]
    found = told(*families.of_unjudged(noted))
    assert (found["monitoring_unjudged_nights", "kcs"], found["monitoring_unjudged_nights", "simulator"]) == (0.0, 2.0)


def test_drift_is_told_once_there_was_a_run():
    assert list(families.of_drift(None)) == []
    found = told(*families.of_drift(families.Drift(NOON, 4.0, is_breach=True, is_judged=False)))
    assert found == {
        "drift_run_timestamp_seconds": NOON.timestamp(),
        "drift_judged": 0.0,
        "drift_drifted_columns": 4.0,
        "drift_breach": 1.0,
    }


def test_how_far_data_go_and_how_much_of_the_last_batch_was_refused():
    def batch(rows, quarantined):
        return BatchRecord("b.csv", "0" * 64, rows, rows - quarantined, quarantined, 0, 0, {})

    days = {date(2024, 4, 30): PartitionFile("a" * 64, 3), date(2024, 4, 29): PartitionFile("b" * 64, 3)}
    manifest = Manifest({"declarations": days}, (batch(10, 9), batch(200, 5)))
    store = SimpleNamespace(manifest=lambda: manifest, committed_at=int(NOON.timestamp() * 1e9))
    empty = SimpleNamespace(manifest=Manifest, committed_at=0)
    found = told(*families.of_stores({"kcs": store, "files": empty}))
    assert ("batch_quarantined_ratio", "files") not in found
    assert ("store_last_day_timestamp_seconds", "files") not in found
    assert found["batch_quarantined_ratio", "kcs"] == 0.025
    assert found["store_batches", "kcs"] == 2.0
    assert found["store_last_day_timestamp_seconds", "kcs"] == datetime(2024, 4, 30, tzinfo=UTC).timestamp()
    assert found["store_committed_timestamp_seconds", "kcs"] == NOON.timestamp()


def test_who_decides_what_waits_and_until_when():
    book = signing.book_of(
        *signing.promotion(1, 0.0),
        signing.opening(2, 3.0),
        signing.entry("approve", "ann", 2, "technical", 4.0, reason="sound"),
        signing.opening(3, 5.0),
    )
    at = signing.START + timedelta(days=6)
    found = told(*families.of_ledger(book, 17, at))
    assert found["champion_version"] == 1.0
    assert found["champion_promoted_timestamp_seconds"] == book.cases[1].promoted_at.timestamp()
    assert (found["versions", "awaiting"], found["versions", "champion"], found["versions", "void"]) == (2.0, 1.0, 0.0)
    signed = signing.START + timedelta(days=4) + book.cases[2].valid_for
    assert found["signature_ends_timestamp_seconds", "2"] == signed.timestamp()
    assert ("signature_ends_timestamp_seconds", "3") not in found
    assert (found["ledger_rows"], found["ledger_verified_timestamp_seconds"]) == (17.0, at.timestamp())


def test_without_a_champion_none_is_told():
    found = told(*families.of_ledger(signing.book_of(signing.opening(2, 3.0)), 1, signing.START + timedelta(days=4)))
    assert "champion_version" not in found


def test_cases_decisions_and_room(tmp_path):
    found = told(*families.of_cases([Standing("red", 7, 2, NOON)]))
    assert found == {
        ("cases_open", "red"): 7.0,
        ("cases_late", "red"): 2.0,
        ("cases_oldest_timestamp_seconds", "red"): NOON.timestamp(),
    }
    spool = tmp_path / "spool.jsonl"
    assert told(*families.of_decisions(12, spool)) == {"decisions": 12.0, "decisions_spool_bytes": 0.0}
    spool.write_text("12345")
    assert told(*families.of_decisions(12, spool))["decisions_spool_bytes"] == 5.0
    assert told(*families.of_disk([tmp_path]))["disk_free_bytes", str(tmp_path)] > 2**20
