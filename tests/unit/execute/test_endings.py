"""How an entry ended, as its journal keeps it: the code, a sentence, and what was made."""

import pytest

from backfill.errors import Disposition, StoreFault
from backfill.execute.codes import SENTENCES, Code
from backfill.execute.endings import (
    DETAIL_CHARACTERS_MAX,
    failure_of,
    is_proven,
    outcome_of,
    proof_of,
    unproven,
)
from backfill.execute.views import (
    Attempt,
    Copy,
    End,
    Hide,
    Made,
    MarkAbsent,
    View,
    attempt_of,
    has_open_question,
    is_known_older,
    position,
)
from backfill.model.objects import Checksum, ChecksumType, ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, MarkerResult, WriteResult
from tests.unit.execute.test_ordinary import entry_of, marker, version

ENTRY = entry_of()._replace(number=7)
ETAG, OURS = ETag("etag-ours"), VersionId("ours")
MADE = Made(
    version_id=OURS,
    etag=ETAG,
    source_version_id=VersionId("pinned"),
    seen_version_id=None,
    checksum="CRC32:AA==",
)


def test_an_outcome_is_the_end_of_its_entry_and_the_version_that_was_made() -> None:
    """If this fails, a resume or a report names another version than was written."""
    ended = End(kind=OutcomeKind.COPIED, made=MADE)
    assert outcome_of(ended, ENTRY, attempts=2, bytes_copied=5) == Outcome(
        number=7,
        kind=OutcomeKind.COPIED,
        code="",
        detail="",
        version_id=OURS,
        etag=ETAG,
        attempts=2,
        bytes_copied=5,
        checksum="CRC32:AA==",
    )
    bare = outcome_of(End(kind=OutcomeKind.FAILED), ENTRY, attempts=0, bytes_copied=0)
    assert (bare.version_id, bare.etag, bare.checksum) == (None, None, "")


@pytest.mark.parametrize(
    ("code", "detail", "told"),
    [
        (Code.GONE.value, "", SENTENCES[Code.GONE]),
        (Code.GONE.value, "More.", f"{SENTENCES[Code.GONE]} More."),
        ("AccessDenied", "S3 said no", "S3 said no"),
        ("AccessDenied", "a\x1b[2Jb\n", "a\\x1b[2Jb\\n"),
        ("", "", ""),
    ],
)
def test_a_code_of_ours_is_told_in_its_sentence_and_s3s_in_its_own_words(
    code: str, detail: str, told: str
) -> None:
    """If this fails, a person reads a bare code, or a store's message moves the cursor."""
    ended = End(kind=OutcomeKind.FAILED, code=code, detail=detail)
    found = outcome_of(ended, ENTRY, attempts=1, bytes_copied=0)
    assert (found.code, found.detail) == (code, told)


def test_a_long_message_is_cut() -> None:
    """If this fails, a journal of a million failures cannot be read."""
    for length, kept in ((DETAIL_CHARACTERS_MAX, DETAIL_CHARACTERS_MAX), (9_999, 400)):
        ended = End(kind=OutcomeKind.FAILED, code="X", detail="x" * length)
        assert outcome_of(ended, ENTRY, attempts=1, bytes_copied=0).detail == "x" * kept


FULL = Checksum(algorithm="CRC64NVME", value="A=", type=ChecksumType.FULL_OBJECT)
PARTS = Checksum(algorithm="SHA256", value="B=", type=ChecksumType.COMPOSITE, part_count=2)


def test_only_a_checksum_of_the_whole_object_is_kept_as_proof() -> None:
    """If this fails, verify compares a checksum of parts with one of the whole."""
    for checksums, proof in (
        ((FULL,), "CRC64NVME:A="),
        ((PARTS, FULL), "CRC64NVME:A="),
        ((PARTS,), ""),
        ((), ""),
    ):
        assert proof_of(WriteResult(ETAG, OURS, checksums)) == proof
    assert proof_of(MarkerResult(OURS)) == ""


@pytest.mark.parametrize(
    ("result", "is_settled"),
    [
        (WriteResult(ETAG, OURS), True),
        (WriteResult(ETag(""), OURS), False),
        (WriteResult(ETAG, None), False),
        (MarkerResult(OURS), True),
        (MarkerResult(None), False),
    ],
)
def test_a_write_is_settled_by_its_version_and_a_copys_etag(
    result: WriteResult | MarkerResult, is_settled: bool
) -> None:
    """If this fails, 200 with an empty body counts as a copy."""
    assert is_proven(result) is is_settled


COPY = Copy(
    version_id=VersionId("pinned"),
    etag=ETAG,
    size_bytes=5,
    precondition=IfAbsent(),
    seen_version_id=VersionId("seen"),
)
HIDE = Hide(etag=ETAG, seen_version_id=VersionId("seen"))


@pytest.mark.parametrize(
    ("step", "operation", "attempt"),
    [
        (COPY, "CopyObject", Attempt(seen_version_id=VersionId("seen"),
                                     source_version_id=VersionId("pinned"))),
        (HIDE, "DeleteObject", Attempt(seen_version_id=VersionId("seen"), source_version_id=None)),
        (MarkAbsent(), "DeleteObject", Attempt(seen_version_id=None, source_version_id=None)),
    ],
)  # fmt: skip
def test_a_success_without_proof_is_settled_by_reading(
    step: Copy | Hide | MarkAbsent, operation: str, attempt: Attempt
) -> None:
    """If this fails, a write that may have been applied is sent again, or believed."""
    fault = unproven(step)
    assert (fault.operation, fault.code, fault.status) == (operation, "NoETag", 200)
    assert (fault.disposition, fault.is_ambiguous) == (Disposition.SETTLE, True)
    assert attempt_of(step) == attempt
    view = View(source=(), destination=())
    assert not has_open_question(view)
    refused = Attempt(seen_version_id=None, source_version_id=None, was_refused=True)
    for attempts, is_open in (((refused,), False), ((refused, attempt), True)):
        assert has_open_question(View(source=(), destination=(), attempts=attempts)) is is_open


def test_a_fault_that_ends_an_entry_is_kept_as_it_was_said() -> None:
    """If this fails, a person cannot look the failure up."""
    fault = StoreFault(
        operation="CopyObject",
        code="AccessDenied",
        status=403,
        disposition=Disposition.FAIL,
        message="no",
    )
    assert failure_of(fault) == End(kind=OutcomeKind.FAILED, code="AccessDenied", detail=str(fault))


def test_where_a_version_stands_is_known_by_its_id_and_by_nothing_else() -> None:
    """If this fails, a version is taken for older than it is, and put on top of a newer one."""
    chain = (version("c", 3), marker("b", 2), version("a", 1))
    assert [position(chain, VersionId(word)) for word in "cba"] == [0, 1, 2]
    assert position(chain, VersionId("x")) is None
    assert position((), None) is None
    view = View(source=chain, destination=(version("x", 9),))
    assert view.source_current == chain[0]
    assert view.destination_current == version("x", 9)
    empty = View(source=(), destination=())
    assert (empty.source_current, empty.destination_current) == (None, None)

    def older(word: str, than: str | None) -> bool:
        return is_known_older(view, version(word, 0), None if than is None else VersionId(than))

    assert older("a", "c")
    assert older("a", "b")
    assert not older("c", "a")
    assert not older("a", "a")
    assert not older("x", "c")
    assert not older("a", "x")
    assert not older("a", None)
    null = View(source=(version("c", 3), version("null", 1)), destination=())
    assert not is_known_older(null, version("null", 1), VersionId("c"))
