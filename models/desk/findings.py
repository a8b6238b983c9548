"""What officers find is added and never changed; a finding that comes too late is kept, and a supervisor rules on it.

What counts becomes the outcome of an item, in an order of its own (results), which the night takes over (exports.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.desk.filing import Judged, filed, items_of, judged, judgement, standing
from models.desk.record import GREEN, Filed, Finding, Officer, Refused
from models.desk.shared import SECOND, Shared, holder, require_supervisor, require_worked_on
from models.desk.tables import cases, cursors, findings, items, photos, results, rulings

_RESULTS = "results"


@dataclass(frozen=True)
class Findings:
    """Findings of officers, and rulings of supervisors on them."""

    shared: Shared

    def add(self, officer: Officer, finding: Finding) -> Filed:
        """File a finding, once: the same again, under the same key, gets the same answer.

        If somebody else has the case in hand meanwhile, or it is closed, the finding is kept as a conflict, which does
        not count. What a supervisor finds always counts: that is how an appeal corrects a closed case. Refused if the
        key has another content, if the officer never had the case, or if it names an item, photo or finding that the
        case does not have.
        """
        return self._add(officer, finding)

    def bring_in(self, officer: Officer, name: str, finding: Finding) -> Filed:
        """File what somebody called `name` found in another case system, on a supervisor's word; otherwise as `add`.

        They need not have had the case here, nor an account.
        """
        require_supervisor(officer)
        return self._add(Officer(name, officer.offices), finding, brought_by=officer.name)

    def accept(self, officer: Officer, key: str, words: str) -> None:
        """Have a finding count that came too late; Refused to others than supervisors."""
        with self.shared.tables.writing() as connection:
            require_supervisor(officer)
            query = sa.select(findings.c.case_number, findings.c.conflict).where(findings.c.key == key)
            found = connection.execute(query).first()
            if found is None or not found.conflict:
                raise Refused(f"no finding {key!r} waits as a conflict")
            row = self.shared.row(connection, officer, found.case_number)
            self._rule(connection, officer, row.number, words, key=key)
            self.shared.note(connection, row.number, officer.name, "accepted", f"{key}: {words}")
            self._count(connection, row)

    def settle(self, officer: Officer, number: int, words: str) -> None:
        """Have the findings of this case count for its declaration, where two looks disagree.

        Until then those of the first look count. Refused to others than supervisors, and where there is one look.
        """
        with self.shared.tables.writing() as connection:
            require_supervisor(officer)
            row = self.shared.row(connection, officer, number)
            query = sa.select(cases).where(cases.c.declaration_id == row.declaration_id).order_by(cases.c.look)
            looks = connection.execute(query).all()
            if len(looks) < SECOND:
                raise Refused(f"case {number} was looked at once; allowed: a case that was looked at twice")
            if not judgement(connection, number):
                raise Refused(f"nothing was found in case {number} yet that could count")
            self._rule(connection, officer, looks[0].number, words, counts=number)
            for each in looks:
                self.shared.note(connection, each.number, officer.name, "settled", f"case {number} counts: {words}")
            self._count(connection, looks[0])

    def conflicts(self, officer: Officer) -> list[Filed]:
        """Return the findings of the officer's offices that came too late and wait for a supervisor."""
        is_accepted = sa.exists().where(rulings.c.key == findings.c.key)
        query = (
            sa.select(findings)
            .join(cases, cases.c.number == findings.c.case_number)
            .where(findings.c.conflict != "", cases.c.office.in_(officer.offices), sa.not_(is_accepted))
            .order_by(findings.c.number)
        )
        if not officer.is_supervisor:
            query = query.where(findings.c.officer == officer.name)
        with self.shared.tables.reading() as connection:
            return [
                Filed(row.number, Finding.from_json(row.content), row.officer, row.at, row.conflict)
                for row in connection.execute(query)
            ]

    def _add(self, officer: Officer, finding: Finding, brought_by: str = "") -> Filed:
        try:
            return self._file(officer, finding, brought_by)
        except IntegrityError:  # the same came twice at once, and is there now
            return self._file(officer, finding, brought_by)

    def _file(self, officer: Officer, finding: Finding, brought_by: str) -> Filed:
        content = msgspec.json.encode(finding, order="deterministic").decode()
        with self.shared.tables.writing() as connection:
            known = connection.execute(sa.select(findings).where(findings.c.key == finding.key)).first()
            if known is not None:
                if (known.officer, known.content) != (officer.name, content):
                    raise Refused(f"key {finding.key!r} has another finding; allowed: a key of its own for each")
                return Filed(known.number, finding, known.officer, known.at, known.conflict)
            row = self.shared.row(connection, officer, finding.case)
            if not officer.is_supervisor and not brought_by:
                require_worked_on(connection, officer, row.number)
            self._check(connection, officer, finding)
            conflict = "" if officer.is_supervisor else _conflict(row, officer, self.shared.now())
            at = self.shared.now()
            number = connection.execute(
                findings.insert()
                .values(
                    key=finding.key,
                    case_number=row.number,
                    officer=officer.name,
                    at=at,
                    conflict=conflict,
                    content=content,
                )
                .returning(findings.c.number)
            ).scalar_one()
            told = (finding.kind or "nothing") + (": conflict" if conflict else "")
            words = f"{told}, brought in by {brought_by}" if brought_by else told
            self.shared.note(connection, row.number, officer.name, "found", words)
            if not conflict:
                self._count(connection, row)
            return Filed(number, finding, officer.name, at, conflict)

    def _check(self, connection: sa.Connection, officer: Officer, finding: Finding) -> None:
        """Raise Refused if a finding names what its case does not have."""
        numbers = [item.item_number for item in items_of(connection, finding.case)]
        if finding.item_number is not None and finding.item_number not in numbers:
            raise Refused(f"item_number is {finding.item_number}; allowed: {', '.join(map(str, numbers))}")
        query = sa.select(photos.c.sent).where(photos.c.case_number == finding.case)
        if missing := sorted(set(finding.photos) - set(connection.execute(query).scalars())):
            raise Refused(f"photo {missing[0]} is not kept with case {finding.case}; send it first")
        if finding.replaces:
            before = {each.finding.key: each for each in filed(connection, finding.case)}.get(finding.replaces)
            if before is None:
                raise Refused(f"replaces is {finding.replaces!r}; allowed: the key of a finding of case {finding.case}")
            if before.officer != officer.name and not officer.is_supervisor:
                raise Refused(f"finding {finding.replaces!r} is of {before.officer}; allowed: your own")

    def _rule(
        self,
        connection: sa.Connection,
        officer: Officer,
        number: int,
        words: str,
        *,
        key: str | None = None,
        counts: int | None = None,
    ) -> None:
        connection.execute(
            rulings.insert().values(
                case_number=number, at=self.shared.now(), supervisor=officer.name, key=key, counts=counts, words=words
            )
        )

    def _count(self, connection: sa.Connection, row: sa.Row) -> None:
        """Add what has changed about the outcomes of a case's declaration."""
        query = sa.select(cases).where(cases.c.declaration_id == row.declaration_id, cases.c.look != SECOND)
        first = connection.execute(query).one()
        ruled = sa.select(rulings.c.counts).where(rulings.c.case_number == first.number, rulings.c.counts.is_not(None))
        counts = connection.execute(ruled.order_by(rulings.c.number.desc()).limit(1)).scalar() or first.number
        counted = standing(connection, counts)
        if not counted:
            return
        by_item = judged(counted, items_of(connection, counts))
        lanes = sa.select(items.c.item_number, items.c.lane, items.c.probability)
        told = {each.item_number: each for each in connection.execute(lanes.where(items.c.case_number == first.number))}
        for item_number, found in sorted(by_item.items()):
            self._add_result(connection, first, told[item_number], found, counted[-1].officer)

    def _add_result(self, connection: sa.Connection, first: sa.Row, item: sa.Row, found: Judged, officer: str) -> None:
        of_item = sa.and_(results.c.declaration_id == first.declaration_id, results.c.item_number == item.item_number)
        last = connection.execute(sa.select(results).where(of_item).order_by(results.c.number.desc()).limit(1)).first()
        said = Judged(last.is_illicit, last.is_critical, last.recovered_revenue) if last else None
        if said == found:
            return
        # The row of the cursor is locked until the commit, so numbers are committed in their order.
        move = cursors.update().where(cursors.c.name == _RESULTS).values(number=cursors.c.number + 1)
        number = connection.execute(move.returning(cursors.c.number)).scalar_one()
        known_at = self.shared.now().replace(tzinfo=None)
        if last is not None:  # legal time is set back once a year, and a correction comes later all the same
            known_at = max(known_at, last.known_at + timedelta(microseconds=1))
        connection.execute(
            results.insert().values(
                number=number,
                case_number=first.number,
                officer=officer,
                declaration_id=first.declaration_id,
                item_number=item.item_number,
                accepted_at=first.accepted_at,
                is_illicit=found.is_illicit,
                is_critical=found.is_critical,
                recovered_revenue=found.revenue,
                inspection_channel=first.lane if item.lane == GREEN else item.lane,
                selection_probability=item.probability,
                known_at=known_at,
            )
        )


def _conflict(row: sa.Row, officer: Officer, now: datetime) -> str:
    """Say why a finding comes too late; nothing if it does not."""
    if row.closed_at is not None:
        return f"{row.closed_by} has closed the case"
    held_by = holder(row, now)
    return "" if held_by in (None, officer.name) else f"{held_by} has the case in hand"
