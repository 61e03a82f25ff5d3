"""What S3 was asked to restore is kept to the byte, added up once, and never read from a damage."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.execute.restoring.ledger import (
    Ledger,
    decoded,
    encoded,
    ledger_name,
    summed,
    with_asked,
)
from backfill.model.archives import Archive, Retrieved

BEGUN = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST, LAST = next(iter(Archive)), list(Archive)[-1]
LEDGER = Ledger(
    tier="Bulk",
    days=7,
    asked={FIRST: Retrieved(restores=2, size_bytes=30), LAST: Retrieved(restores=1, size_bytes=5)},
    opened=frozenset({9, 4}),
    extended=3,
    left_out=Retrieved(restores=6, size_bytes=60),
    waiting=Retrieved(restores=1, size_bytes=8),
    begun_at=BEGUN,
    looked_at=BEGUN + HOUR,
)
DOCUMENT: dict[str, object] = {
    "schema": 1,
    "tier": "Bulk",
    "days": 7,
    "asked": {FIRST.value: [2, 30], LAST.value: [1, 5]},
    "opened": [4, 9],
    "extended": 3,
    "left_out": [6, 60],
    "waiting": [1, 8],
    "begun_at": "2026-11-23T08:00:00+00:00",
    "looked_at": "2026-11-23T09:00:00+00:00",
}


def canonical(document: dict[str, object]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def sealed(document: dict[str, object]) -> bytes:
    return canonical({**document, "digest": hashlib.sha256(canonical(document)).hexdigest()})


def test_a_ledger_of_an_earlier_backfill_is_read_and_written_as_it_was() -> None:
    """If this fails, an update of backfill counts restores anew, and the budget is spent twice."""
    assert encoded(LEDGER) == sealed(DOCUMENT)
    assert decoded(sealed(DOCUMENT), "f") == LEDGER
    bare = Ledger(tier="Standard", days=1)
    assert decoded(encoded(bare), "f") == bare
    assert (bare.begun_at, bare.looked_at) == (None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        sealed(DOCUMENT)[:-2],
        sealed(DOCUMENT).replace(b'"days": 7', b'"days": 8'),
        sealed({**DOCUMENT, "asked": {"attic": [1, 1]}}),
        sealed({**DOCUMENT, "waiting": [1]}),
        sealed({**DOCUMENT, "begun_at": "then"}),
        sealed({name: value for name, value in DOCUMENT.items() if name != "tier"}),
        canonical(DOCUMENT),
    ],
)
def test_an_altered_ledger_is_refused(data: bytes) -> None:
    """If this fails, a damaged count lets a run exceed its budget."""
    with pytest.raises(ArtifactDamagedError) as raised:
        decoded(data, "restores/00-00.json")
    assert raised.value.message.startswith("restores/00-00.json ")
    assert "another --run-dir" in str(raised.value.hint)


def test_a_ledger_of_a_newer_backfill_is_left_to_it() -> None:
    """If this fails, an older backfill rewrites what it does not understand."""
    with pytest.raises(ForeignRunDirectoryError) as raised:
        decoded(sealed({**DOCUMENT, "schema": 2}), "f")
    assert "f has schema 2; this backfill reads up to 1" in raised.value.message


def test_what_was_asked_for_adds_up_by_archive_and_can_be_taken_back() -> None:
    """If this fails, the budget is held against too little, or S3's refusal stays counted."""
    once = with_asked({}, FIRST, 10)
    twice = with_asked(once, FIRST, 5)
    assert twice == {FIRST: Retrieved(restores=2, size_bytes=15)}
    assert with_asked(twice, FIRST, 5, times=-1) == once
    assert with_asked(once, LAST, 1) == {**once, LAST: Retrieved(restores=1, size_bytes=1)}
    assert (LEDGER.asked_bytes, LEDGER.restores) == (35, 3)


def test_the_ledgers_of_all_shards_are_one() -> None:
    """If this fails, report and status tell the restores of one process for those of all."""
    other = Ledger(
        tier="Bulk",
        days=7,
        asked={FIRST: Retrieved(restores=1, size_bytes=1)},
        extended=10,
        left_out=Retrieved(restores=1, size_bytes=2),
        waiting=Retrieved(restores=3, size_bytes=4),
        begun_at=BEGUN - HOUR,
        looked_at=BEGUN,
    )
    for pair in ((LEDGER, other), (other, None, LEDGER)):
        total = summed(pair)
        assert total == Ledger(
            tier="Bulk",
            days=7,
            asked={
                FIRST: Retrieved(restores=3, size_bytes=31),
                LAST: Retrieved(restores=1, size_bytes=5),
            },
            extended=13,
            left_out=Retrieved(restores=7, size_bytes=62),
            waiting=Retrieved(restores=4, size_bytes=12),
            begun_at=BEGUN - HOUR,
            looked_at=BEGUN + HOUR,
        )
    assert summed([None, LEDGER]) == LEDGER
    assert summed([None]) is None
    bare = Ledger(tier="Bulk", days=7)
    both = summed([bare, bare])
    assert both is not None
    assert (both.begun_at, both.looked_at) == (None, None)
    later = summed([bare, LEDGER])
    assert later is not None
    assert (later.begun_at, later.looked_at) == (LEDGER.begun_at, LEDGER.looked_at)


def test_each_shard_has_a_document_of_its_own() -> None:
    """If this fails, two processes write one ledger, and one of them is lost."""
    assert ledger_name("manifest/00") == "restores/00-00.json"
    assert ledger_name("repair/x/01", 3) == "restores/01-03.json"
