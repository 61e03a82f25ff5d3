"""Why versions failed, what mends it, and which of them a repair manifest can bring over then.

Never holds a text about a failure code (`batch_operations.failure_codes` does).
Law: a version that Batch Replication cannot deliver is told, not put into a manifest: each row of
one is charged.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from backfill.batch_operations.failure_codes import FailureClass, failure_of
from backfill.watch.ledger_words import Tally
from backfill.watch.mends import MissingStatement, Way, missing_statements
from backfill.watch.notices import Word

REPAIRABLE: Final = frozenset({FailureClass.AGAIN, FailureClass.AFTER_MEND, FailureClass.UNKNOWN})
"""What Batch Replication can bring over, some of it after a mend. A code that AWS does not document
is tried: at worst it fails again."""
SETTLED: Final = frozenset({FailureClass.BENIGN, FailureClass.GONE})
"""What is no failure: S3 had replicated it, or it is not there any more."""

_PLACEHOLDER: Final = re.compile(r"\b(?:SOURCE|DESTINATION)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A failure reason on the way to one destination, and what mends it.

    Attributes:
        code: S3's own word, as in the failure codes of Batch Operations.
        destination_bucket: On the way where.
        versions: How many versions failed so.
        failure_class: What must change before they can be brought over.
        sentence: What happened.
        mend: What a person does about it.
        statements: Policy statements that must all stand there; one of them may lack.
        is_in_manifest: Batch Replication can bring them over, so they are in the manifest.
    """

    code: str
    destination_bucket: str
    versions: int
    failure_class: FailureClass
    sentence: str
    mend: str
    statements: tuple[MissingStatement, ...] = ()
    is_in_manifest: bool = False


def is_failure(reason: str) -> bool:
    """Return whether a failure of this reason leaves something undelivered."""
    return _class_of(reason) not in SETTLED


def is_repairable(reason: str) -> bool:
    """Return whether Batch Replication can bring over what failed for this reason."""
    return _class_of(reason) in REPAIRABLE


@lru_cache(maxsize=1024)  # asked for each of maybe millions of versions
def _class_of(reason: str) -> FailureClass:
    return failure_of(reason, None, "").cls


def causes_of(
    tallies: Iterable[Tally], *, source_bucket: str, ways: Mapping[str, Way]
) -> tuple[Cause, ...]:
    """Return the causes of what failed, the most frequent first; `ways` by destination bucket."""
    versions: defaultdict[tuple[str, str], int] = defaultdict(int)
    for tally in tallies:
        if tally.word is Word.FAILED:
            versions[tally.reason, tally.destination_bucket] += tally.versions
    ranked = sorted(versions.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        _cause(code, bucket, count, source_bucket=source_bucket, way=ways.get(bucket))
        for (code, bucket), count in ranked
    )


def _cause(code: str, bucket: str, count: int, *, source_bucket: str, way: Way | None) -> Cause:
    failure = failure_of(code, None, "")
    names = {"SOURCE": source_bucket, "DESTINATION": bucket}
    return Cause(
        code=failure.code,
        destination_bucket=bucket,
        versions=count,
        failure_class=failure.cls,
        sentence=failure.sentence,
        # The table's texts have placeholders for both names; one that is not told stays.
        mend=_PLACEHOLDER.sub(lambda found: names[found[0]] or found[0], failure.mend),
        statements=missing_statements(code, way) if way is not None else (),
        is_in_manifest=failure.cls in REPAIRABLE,
    )
