"""What events said of each version, on disk: the newest word of each kind, whatever came how often.

Never deletes a message, and never takes a word back but by a newer one.
Law: notes are merged by their moments, so that order and repetition change nothing; what `note`
took is durable when it returns, a power cut included.

SQLite, because versions are met in any order and again, and memory must not grow with them. Kept
with synchronous=EXTRA: with less, a power cut right after a commit may undo it.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, Self

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError, RefusedError
from backfill.model.escaping import visible_text
from backfill.model.objects import VersionId
from backfill.watch.ledger_words import Finding, Noted, Tally, UnreadMessage
from backfill.watch.notices import Moment, Notice, Word, moment_of

UNREAD_BODIES_MAX: Final = 1000
"""Messages that could not be read and are kept whole; of more only their digest. At 1 MiB each, the
longest that SQS holds, they take 1 GiB."""
GROUPS_MAX: Final = 10_000
"""Groups of (rule, destination, reason). S3 has 1,000 rules and some 40 reasons a bucket."""
KEPT: Final = timedelta(days=15)
"""How long what is settled is remembered: SQS keeps a message for 14 days at most, so what could
contradict it comes no more."""

_SCHEMA: Final = "backfill.watch-ledger/1"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (
    key TEXT NOT NULL, version_id TEXT NOT NULL, destination TEXT NOT NULL, word TEXT NOT NULL,
    moment TEXT NOT NULL, rule_id TEXT NOT NULL, operation TEXT NOT NULL, reason TEXT NOT NULL,
    looks INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, version_id, destination, word)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unread (
    digest TEXT PRIMARY KEY, remark TEXT NOT NULL, body TEXT
) WITHOUT ROWID;
CREATE TEMP VIEW alive AS SELECT t.* FROM told AS t
    WHERE t.word IN ('OperationFailedReplication', 'OperationMissedThreshold',
                     'OperationNotTracked')
    AND NOT EXISTS (
        SELECT 1 FROM told AS a
        WHERE a.key = t.key AND a.version_id = t.version_id AND a.destination = t.destination
        AND (a.word = 'OperationReplicatedAfterThreshold' AND (
                 a.moment > t.moment
                 OR (a.moment = t.moment AND t.word <> 'OperationFailedReplication'))
             OR a.word IN ('arrived', 'gone') AND a.moment >= t.moment));
CREATE TEMP VIEW standing AS SELECT t.* FROM alive AS t
    WHERE t.word = 'OperationFailedReplication' OR NOT EXISTS (
        SELECT 1 FROM alive AS o
        WHERE o.key = t.key AND o.version_id = t.version_id AND o.destination = t.destination
        AND (o.word = 'OperationFailedReplication'
             OR o.word <> t.word AND (
                 o.moment > t.moment
                 OR o.moment = t.moment AND o.word = 'OperationMissedThreshold')));
"""
"""`alive`: words that nothing newer makes void. `standing`: the one that counts for a version and
destination; a failure outweighs all but an arrival, and of the others the newest does."""

_NOTE: Final = """
INSERT INTO told (key, version_id, destination, word, moment, rule_id, operation, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET moment = excluded.moment, rule_id = excluded.rule_id,
    operation = excluded.operation, reason = excluded.reason, looks = 0
WHERE (excluded.moment, excluded.reason, excluded.rule_id, excluded.operation)
    > (moment, reason, rule_id, operation)
"""


class Ledger:
    """The words of one source bucket's events. One process writes (see `run_directory.lock`)."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    @classmethod
    def open(cls, path: Path, *, bucket: str, now: datetime) -> Self:
        """Open the ledger of a bucket, made if need be; what is settled and old is forgotten.

        Raises:
            ForeignRunDirectoryError: It is another bucket's.
            ArtifactDamagedError: It is no ledger of this version, or damaged.
            RefusedError: It cannot be written.
        """
        with _faults(path):
            database = sqlite3.connect(path, isolation_level=None)
        ledger = cls(database, path)
        try:
            with _faults(path):
                database.execute("PRAGMA synchronous = EXTRA")
                database.executescript(_TABLES)
            ledger._belong_to(bucket)
            ledger._forget(now - KEPT)
        except BaseException:
            database.close()
            raise
        return ledger

    def close(self) -> None:
        """Close it; what was noted is on disk already."""
        self._database.close()

    def note(self, notices: Iterable[Notice], unread: Iterable[UnreadMessage] = ()) -> Noted:
        """Merge words in and keep messages that cannot be read, all durably or none."""
        with self._transaction() as database:
            before = database.total_changes
            database.executemany(_NOTE, map(_row, notices))
            words = database.total_changes - before
            (kept,) = database.execute("SELECT COUNT(*) FROM unread").fetchone()
            for number, message in enumerate(unread, kept):
                body = message.body.encode(errors="replace").decode()
                digest = hashlib.sha256(body.encode()).hexdigest()
                cells = (digest, message.remark, body if number < UNREAD_BODIES_MAX else None)
                database.execute("INSERT OR IGNORE INTO unread VALUES (?, ?, ?)", cells)
            return Noted(words, database.total_changes - before - words)

    def settle(self, findings: Iterable[tuple[Notice, Finding]], looked: Sequence[Notice]) -> None:
        """Keep what looks at the source found; those `looked` at wait until all others had theirs.

        A finding is of the word that it was looked for, so a later failure stands against it.
        """
        rows = (
            (n.key, n.version_id, n.destination_bucket, finding, n.moment, n.rule_id, "", "")
            for n, finding in findings
        )
        with self._transaction() as database:
            database.executemany(_NOTE, rows)
            database.executemany(
                "UPDATE told SET looks = looks + 1"
                " WHERE key = ? AND version_id = ? AND destination = ? AND word = ?",
                ((n.key, n.version_id, n.destination_bucket, n.word) for n in looked),
            )

    def unsettled(self, limit: int) -> list[Notice]:
        """Return words that a look at the source may settle, those looked at least often first."""
        found = self._select("SELECT * FROM standing ORDER BY looks LIMIT ?", limit)
        return [_notice(row) for row in found]

    def failures(self) -> Iterator[Notice]:
        """Stream what failed and has not arrived, by key and version ID.

        Nothing may be noted before it ends.
        """
        # Of a failure both views say the same, and this one is told in half the time.
        statement = "SELECT * FROM alive WHERE word = ? ORDER BY key, version_id, destination"
        return map(_notice, self._select(statement, Word.FAILED))

    def tallies(self) -> list[Tally]:
        """Count what stands, by word, destination, rule and reason."""
        found = self._select(
            "SELECT word, destination, rule_id, reason, COUNT(*) FROM standing"
            " GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT ?",
            GROUPS_MAX,
        )
        return [
            Tally(Word(str(word)), str(destination), str(rule_id), str(reason), _number(versions))
            for word, destination, rule_id, reason, versions in found
        ]

    def has_failed_since(self, rule_id: str, destination_bucket: str, at: datetime) -> bool:
        """Return whether an event has named a failure of a rule since then, settled ones too."""
        rows = self._select(
            "SELECT 1 FROM told WHERE word = ? AND rule_id = ? AND destination = ? AND moment >= ?"
            " LIMIT 1",
            *(Word.FAILED, rule_id, destination_bucket, moment_of(at)),
        )
        return next(rows, None) is not None

    def unread(self) -> dict[str, int]:
        """Count the messages that could not be read, by remark."""
        found = self._select("SELECT remark, COUNT(*) FROM unread GROUP BY 1 ORDER BY 1")
        return {str(remark): _number(count) for remark, count in found}

    def fact(self, name: str) -> str:
        """Return what `set_fact` was told; empty before."""
        row = next(self._select("SELECT value FROM facts WHERE name = ?", name), ("",))
        return str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a small fact of the watch's own, durably."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _belong_to(self, bucket: str) -> None:
        for name, value in (("schema", _SCHEMA), ("bucket", bucket)):
            held = self.fact(name)
            if not held:
                self.set_fact(name, value)
            elif held != value:
                raise ForeignRunDirectoryError(
                    f"{_shown(self._path)} is a ledger of {visible_text(held)}, not of {value}",
                    hint="name another run directory: --run-dir DIR",
                )

    def _forget(self, before: datetime) -> None:
        """Forget versions that are settled and of which nothing new can come."""
        moment = moment_of(before)
        with self._transaction() as database:
            database.execute(
                "CREATE TEMP TABLE spent AS SELECT key, version_id, destination FROM told"
                " GROUP BY 1, 2, 3 HAVING MAX(moment) < ?"
                " EXCEPT SELECT key, version_id, destination FROM alive",
                (moment,),
            )
            database.execute(
                "DELETE FROM told WHERE (key, version_id, destination) IN (SELECT * FROM spent)"
            )
            database.execute("DROP TABLE spent")

    def _select(self, statement: str, *values: object) -> Iterator[Sequence[object]]:
        with _faults(self._path):
            rows = self._database.execute(statement, values)
        while True:
            with _faults(self._path):
                found = list(islice(rows, 1000))
            if not found:
                return
            yield from found

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _faults(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.rollback()
                raise
            self._database.commit()


def _row(notice: Notice) -> tuple[str, ...]:
    return (
        notice.key,
        notice.version_id,
        notice.destination_bucket,
        notice.word,
        notice.moment,
        notice.rule_id,
        notice.operation,
        notice.reason,
    )


def _notice(row: Sequence[object]) -> Notice:
    key, version_id, destination, word, moment, rule_id, operation, reason = map(str, row[:8])
    return Notice(
        word=Word(word),
        key=key,
        version_id=VersionId(version_id),
        destination_bucket=destination,
        moment=Moment(moment),
        rule_id=rule_id,
        operation=operation,
        reason=reason,
    )


def _number(value: object) -> int:
    assert isinstance(value, int), "SQLite counts in integers"
    return value


def _shown(path: Path) -> str:
    return visible_text(str(path))


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into errors that a person can act upon."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        raise RefusedError(
            f"cannot use {_shown(path)}: {fault}",
            hint="see to the disk and its permissions; what was noted is kept",
        ) from fault
    except sqlite3.DatabaseError as fault:
        raise ArtifactDamagedError(
            f"{_shown(path)} is damaged: {fault}",
            hint="move it away: what still fails is noted anew, what was noted is lost",
        ) from fault
