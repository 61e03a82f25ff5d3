"""What is read next for a row, and what its verdict says: the cases that a run seldom meets."""

from dataclasses import replace

import pytest

from backfill.model.attributes import Encryption
from backfill.verify.decisions import Judged, Look, LookKind
from backfill.verify.fidelity import ANY
from backfill.verify.looks import (
    BOTH_HEADS,
    LAYOUT_PARTS_MAX,
    NOTHING_COMMON,
    Need,
    Seen,
    concluded,
    is_suspect,
    next_need,
)
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.two_buckets import PLAIN, Stored, kms

ROW = VerdictRow(
    number=1,
    key="k",
    version_id=None,
    destination=0,
    content=Verdict.UNVERIFIED,
    evidence=Evidence.NONE,
    fidelity=Fidelity.NOT_LOOKED_AT,
)
LOOK = Look(kind=LookKind.COMPARE, row=ROW)
SOURCE = Stored(version_id="one", data=b"x" * 30)
COPY = replace(SOURCE, version_id="two")


def seen(source: Stored = SOURCE, copy: Stored = COPY, tried: frozenset[Need] = BOTH_HEADS) -> Seen:
    return Seen(source=source.head(), destination=copy.head(), tried=tried)


def verdict(look: Look, found: Seen) -> VerdictRow:
    judged = concluded(look, found)
    assert isinstance(judged, Judged)
    return judged.row


TAGGED = (replace(SOURCE, tags=(("a", "1"),)), replace(COPY, tags=(("a", "1"),)))
STALE = (TAGGED[0], replace(TAGGED[1], data=b"y" * 30))


@pytest.mark.parametrize(
    ("look", "pair", "need"),
    [
        (LOOK, (SOURCE, COPY), None),
        (LOOK, TAGGED, Need.TAGS),
        # A wrong current version is told as that: its tags are no matter.
        (LOOK._replace(is_stale=True), STALE, None),
        (LOOK._replace(is_stale=True), TAGGED, Need.TAGS),
        (LOOK._replace(expected=ANY._replace(keeps_acl=True)), (SOURCE, COPY), Need.ACLS),
        (LOOK._replace(expected=ANY._replace(keeps_acl=True), is_stale=True), STALE, None),
    ],
)
def test_only_what_can_matter_is_read(
    look: Look, pair: tuple[Stored, Stored], need: Need | None
) -> None:
    """If this fails, verify pays for reads that say nothing, or leaves out those that would."""
    assert next_need(look, seen(*pair), is_deep=False) is need


@pytest.mark.parametrize(
    ("count", "is_read"), [(1, True), (LAYOUT_PARTS_MAX, True), (LAYOUT_PARTS_MAX + 1, False)]
)
def test_part_sizes_are_read_where_there_are_not_too_many(count: int, is_read: bool) -> None:
    """If this fails, one object costs thousands of requests, or a small one stays unverified."""
    heads = [
        stored.head()._replace(checksums=(), etag=f"{digit * 32}-{count}")  # type: ignore[arg-type] # an ETag is a str
        for stored, digit in ((SOURCE, "a"), (COPY, "b"))
    ]
    found = Seen(source=heads[0], destination=heads[1], tried=BOTH_HEADS)
    decided = count == 1  # one part is the whole: its ETags tell by themselves
    wanted = Need.PARTS if is_read and not decided else None
    assert next_need(LOOK, found, is_deep=False) is wanted


def test_what_listings_prove_stays_proven_where_heads_say_nothing() -> None:
    """If this fails, replicas under KMS are unverified though two listings prove them."""
    opaque = seen(
        replace(SOURCE, algorithms=(), encryption=kms("one")),
        replace(COPY, algorithms=(), encryption=kms("two")),
    )
    proven = LOOK._replace(
        row=ROW._replace(content=Verdict.EQUAL, evidence=Evidence.VERSION_ID_AND_ETAG)
    )
    assert verdict(proven, opaque).content is Verdict.EQUAL
    assert verdict(proven, opaque).evidence is Evidence.VERSION_ID_AND_ETAG
    left = verdict(LOOK, opaque)
    assert (left.content, left.evidence) == (Verdict.UNVERIFIED, Evidence.NONE)
    assert NOTHING_COMMON in left.detail
    # A proof of difference outweighs what listings say.
    assert verdict(proven, seen(copy=replace(COPY, data=b"y" * 30))).content is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("row", "evidence", "says"),
    [
        (ROW, Evidence.NOT_READ, "It could not be read: AccessDenied."),
        (
            ROW._replace(content=Verdict.DIFFERENT, evidence=Evidence.SIZE),
            Evidence.SIZE,
            "The listings show other sizes. It could not be read: AccessDenied.",
        ),
        (
            ROW._replace(content=Verdict.MISSING, evidence=Evidence.LISTING, detail="None."),
            Evidence.LISTING,
            "None. It could not be read: AccessDenied.",
        ),
    ],
)
def test_a_look_that_failed_leaves_what_the_listings_said(
    row: VerdictRow, evidence: Evidence, says: str
) -> None:
    """If this fails, a denied read makes a verdict better, or hides why there is none."""
    failed = verdict(LOOK._replace(row=row), Seen(fault_code="AccessDenied"))
    assert (failed.content, failed.evidence, failed.detail) == (row.content, evidence, says)
    assert next_need(LOOK, Seen(fault_code="AccessDenied"), is_deep=False) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "expected", "is_told"),
    [
        (PLAIN, PLAIN, None, False),
        (PLAIN, kms("k"), None, True),
        (PLAIN, kms("k"), kms("k"), False),
        (kms("k"), kms("k"), None, False),
    ],
)
def test_another_encryption_is_told_where_none_was_asked_for(
    ours: Encryption, theirs: Encryption, expected: Encryption | None, is_told: bool
) -> None:
    """If this fails, an encryption that nobody asked for goes unsaid, or one that was is told."""
    look = LOOK._replace(expected=ANY._replace(encryption=expected))
    found = seen(replace(SOURCE, encryption=ours), replace(COPY, encryption=theirs))
    told = "at the source" in verdict(look, found).detail
    assert told is is_told


@pytest.mark.parametrize(
    ("row", "found", "is_open"),
    [
        (ROW, Seen(), False),
        (ROW, Seen(is_gone=True), True),
        (ROW._replace(content=Verdict.EQUAL), Seen(), False),
        (ROW._replace(content=Verdict.EQUAL, fidelity=Fidelity.DIFFERENT), Seen(), True),
        (ROW._replace(fidelity=Fidelity.DIFFERENT), Seen(), True),
        (ROW._replace(content=Verdict.MISSING), None, True),
    ],
)
def test_what_may_change_is_looked_at_again(
    row: VerdictRow, found: Seen | None, is_open: bool
) -> None:
    """If this fails, a 404 is trusted, or what cannot be proved is read over and over."""
    assert is_suspect(Judged(row=row), found) is is_open


@pytest.mark.parametrize(
    ("copy", "fields", "says"),
    [
        (replace(COPY, data=b"y" * 30), (Field.CONTENT,), "The bytes differ."),
        (replace(COPY, data=b"y"), (Field.SIZE,), "The sizes differ: 30 at the source, 1 at the"),
        (
            replace(COPY, metadata=(("a", "1"),)),
            (Field.METADATA,),
            "bytes are equal; these differ: metadata.",
        ),
        (replace(COPY, tags=(("a", "1"),)), (Field.TAGS,), "these differ: object tags."),
    ],
)
def test_what_differs_is_named(copy: Stored, fields: tuple[Field, ...], says: str) -> None:
    """If this fails, a person reads that something differs, and not what."""
    row = verdict(LOOK, seen(copy=copy))
    assert row.fields == fields
    assert says in row.detail
