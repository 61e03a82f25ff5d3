"""The plain row's short way says what the whole way says, or nothing."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import row_of as listing_row_of
from backfill.model.attributes import ContentHeaders, EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.looks import look_of, look_of_listed
from backfill.model.objects import (
    NULL_VERSION_ID,
    Checksum,
    ChecksumType,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Handling, Reason, Route
from backfill.plan.rows import row_of as plan_row_of
from backfill.verify import plain as plain_module
from backfill.verify.decisions import Judged, Look, LookKind, PlannedRow
from backfill.verify.joined import KeyCells, joined_keys, work_of
from backfill.verify.judge import judged_key
from backfill.verify.keys import KeyRows, KeyWork, views_of
from backfill.verify.looks import BOTH_HEADS, Seen, concluded, is_suspect, next_need
from backfill.verify.plain import PlainVerdicts, delivered_id, is_plain, plain_verdict
from backfill.verify.rows import VERDICT_COLUMNS, row_of
from backfill.verify.verdicts import Evidence, Verdict
from tests.doubles.planning import BEFORE, ENCRYPTIONS, HORIZON, head_of, marker, version

KEY = "k"
MD5 = "0123456789abcdef" * 2
ETAGS = st.sampled_from([MD5, "f" * 32, f"{MD5}-2", "opaque"])
IDS = st.sampled_from(["v1", "v2", "null", "copy"])
CHECKSUMS = st.sampled_from(
    [
        (),
        (Checksum(algorithm="CRC64NVME", value="a", type=ChecksumType.FULL_OBJECT),),
        (Checksum(algorithm="CRC64NVME", value="b", type=ChecksumType.FULL_OBJECT),),
        (Checksum(algorithm="CRC32", value="a", type=ChecksumType.FULL_OBJECT),),
        (Checksum(algorithm="CRC32", value="a", type=ChecksumType.COMPOSITE, part_count=2),),
        (
            Checksum(algorithm="CRC64NVME", value="a", type=ChecksumType.FULL_OBJECT),
            Checksum(algorithm="SHA256", value="c", type=ChecksumType.FULL_OBJECT),
        ),
    ]
)
ENCRYPTION = st.sampled_from(
    [
        ENCRYPTIONS[EncryptionKind.NONE],
        ENCRYPTIONS[EncryptionKind.SSE_S3],
        ENCRYPTIONS[EncryptionKind.SSE_KMS],
    ]
)


@st.composite
def nearly_plain(  # noqa: C901, PLR0912 - a table of changes, in one place
    draw: st.DrawFn,
) -> tuple[PlannedRow, KeyGroup]:
    """A plain key with up to three things changed."""
    row, delivery, group = plain_row()
    source: list[ListedEntry] = [*group.source_chain]
    destination: list[ListedEntry] = [delivery]
    entry, outcomes = row
    for change in draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=3)):
        match change:
            case "source id":
                source[0] = source[0]._replace(version_id=VersionId(draw(IDS)))
            case "planned id":
                entry = entry._replace(version_id=VersionId(draw(IDS)))
            case "destination id":
                destination[0] = destination[0]._replace(version_id=VersionId(draw(IDS)))
            case "outcome":
                kind = draw(st.sampled_from(sorted(OutcomeKind)))
                made = draw(st.one_of(st.none(), IDS.map(VersionId)))
                outcomes = (Outcome(number=3, kind=kind, version_id=made),)
            case "outcomes":
                outcomes = outcomes * draw(st.sampled_from([0, 2]))
            case "reason":
                entry = entry._replace(route=None, reason=Reason.ALREADY_COPIED)
            case "source time":
                later = BEFORE + timedelta(days=1)
                source[0] = source[0]._replace(last_modified=later)
            case "destination marker":
                destination[0] = marker(KEY, draw(IDS), is_latest=True)
            case "older":
                chain = draw(st.sampled_from([source, destination]))
                chain.append(version(KEY, draw(IDS), MD5, 7))
            case "none":
                draw(st.sampled_from([source, destination])).clear()
                break
    # Within one chain no version ID stands twice.
    for chain in (source, destination):
        if len({listed.version_id for listed in chain}) != len(chain):
            del chain[1:]
    group = KeyGroup(key=KEY, source_chain=tuple(source), destination_chains=(tuple(destination),))
    return PlannedRow(entry=entry, outcomes=outcomes), group


CHANGES = {
    "source id", "planned id", "destination id", "outcome", "outcomes", "reason", "source time",
    "destination marker", "older", "none",
}  # fmt: skip


@given(case=nearly_plain())
@settings(max_examples=600, deadline=None)
def test_a_key_called_plain_is_one_comparison_of_heads_for_the_judge(
    case: tuple[PlannedRow, KeyGroup],
) -> None:
    """If this fails, a difference that listings show is not looked at."""
    row, group = case
    joined = joined_of(row, group)
    if not isinstance(joined, KeyCells):
        assert joined == KeyWork(KeyRows(KEY, (row,)), group)
        return
    assert work_of(joined) == KeyWork(KeyRows(KEY, (row,)), group)
    if not is_plain(joined):
        return
    (decision,) = judged_key([row], views_of(group, HORIZON), is_deep=False, claimed=frozenset({0}))
    assert isinstance(decision, Look)
    assert decision.kind is LookKind.COMPARE
    assert not decision.is_stale
    assert decision.row.content is Verdict.UNVERIFIED
    assert decision.row.detail == ""
    assert decision.row.destination_version_id == delivered_id(joined)


def joined_of(row: PlannedRow, group: KeyGroup) -> KeyCells | KeyWork:
    """Return a key as it comes out of the artefacts."""
    number = row.entry.number
    (chain,) = group.destination_chains
    (joined,) = joined_keys(
        [list(plan_row_of(row.entry))],
        [list(outcome._replace(number=number)) for outcome in row.outcomes],
        [list(listing_row_of(entry)) for entry in group.source_chain],
        [list(listing_row_of(entry)) for entry in chain],
    )
    return joined


def plain_key(row: PlannedRow, group: KeyGroup) -> KeyCells:
    joined = joined_of(row, group)
    assert isinstance(joined, KeyCells)
    assert is_plain(joined)
    return joined


def plain_row(**changes: object) -> tuple[PlannedRow, ObjectVersion, KeyGroup]:
    source = version(KEY, "v1", MD5, 7, is_latest=True)
    delivery = version(KEY, "copy", MD5, 7, is_latest=True, last_modified=HORIZON)
    settled: dict[str, object] = {"storage_class": "STANDARD", **changes}
    entry = PlanEntry(
        number=3,
        key=KEY,
        version_id=source.version_id,
        is_delete_marker=False,
        is_latest=True,
        last_modified=BEFORE,
        etag=source.etag,
        size_bytes=7,
        destination=0,
        route=Route.COPY_OBJECT,
        precondition=IfAbsent(),
        **settled,  # type: ignore[arg-type] # a case's own fields
    )
    outcome = Outcome(number=3, kind=OutcomeKind.COPIED, version_id=delivery.version_id)
    group = KeyGroup(key=KEY, source_chain=(source,), destination_chains=((delivery,),))
    return PlannedRow(entry=entry, outcomes=(outcome,)), delivery, group


FIELDS: dict[str, st.SearchStrategy[object]] = {
    "etag": ETAGS.map(ETag),
    "size_bytes": st.sampled_from([7, 8]),
    "storage_class": st.sampled_from(["STANDARD", "STANDARD_IA"]),
    "metadata": st.sampled_from([(), (("a", "b"),)]),
    "content_headers": st.sampled_from([ContentHeaders(), ContentHeaders(content_type="x")]),
    "tag_count": st.sampled_from([0, 1]),
    "missing_metadata_count": st.sampled_from([0, 1]),
    "checksums": CHECKSUMS,
    "encryption": ENCRYPTION,
    "unmodelled_checksums": st.sampled_from([(), (("x-amz-checksum-xxhash64", "x"),)]),
    "replication_status": st.sampled_from(
        [ReplicationStatus.NONE, ReplicationStatus.PENDING, ReplicationStatus.REPLICA]
    ),
}


@st.composite
def like_heads(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, object]]:
    """Fields of two heads: alike, but for up to two that differ and two that both have oddly."""
    names = st.lists(st.sampled_from(sorted(FIELDS)), max_size=2)
    ours: dict[str, object] = {"etag": ETag(MD5), "checksums": draw(CHECKSUMS)}
    ours |= {name: draw(FIELDS[name]) for name in draw(names)}
    return ours, ours | {name: draw(FIELDS[name]) for name in draw(names)}


@given(
    heads=like_heads(),
    wanted=st.one_of(st.none(), ENCRYPTION),
    storage_class=st.sampled_from(["", "STANDARD", "STANDARD_IA"]),
)
@settings(max_examples=1000, deadline=None)
def test_a_plain_verdict_is_the_one_that_the_looks_conclude(
    heads: tuple[dict[str, object], dict[str, object]], wanted: object, storage_class: str
) -> None:
    """If this fails, the short way calls something equal that the ladder or fidelity does not."""
    row, delivery, group = plain_row(encryption=wanted, storage_class=storage_class)
    (planned_version,) = group.source_chain
    assert isinstance(planned_version, ObjectVersion)
    ours, theirs = heads
    source = head_of(planned_version, **ours)
    destination = head_of(delivery, **theirs)
    verdict = plain_verdict(row.entry, delivery.version_id, source, destination)
    if verdict is None:
        return
    (look,) = judged_key([row], views_of(group, HORIZON), is_deep=True, claimed=frozenset({0}))
    assert isinstance(look, Look)
    seen = Seen(source=source, destination=destination, tried=BOTH_HEADS)
    assert next_need(look, seen, is_deep=True) is None
    whole = concluded(look, seen)
    assert whole == Judged(row=verdict)
    assert not is_suspect(whole, seen)


@given(
    heads=like_heads(),
    wanted=st.one_of(st.none(), ENCRYPTION),
    storage_class=st.sampled_from(["", "STANDARD", "STANDARD_IA"]),
)
@settings(max_examples=1000, deadline=None)
def test_a_look_stands_for_its_head_or_for_nothing(
    heads: tuple[dict[str, object], dict[str, object]], wanted: object, storage_class: str
) -> None:
    """If this fails, what the plan read, or an earlier row, is taken to say more than it said."""
    row, delivery, group = plain_row(encryption=wanted, storage_class=storage_class)
    (planned_version,) = group.source_chain
    assert isinstance(planned_version, ObjectVersion)
    ours, theirs = heads
    source = head_of(planned_version, **ours)
    destination = head_of(delivery, **theirs)
    look = look_of_listed(planned_version, source)
    row = row._replace(entry=row.entry._replace(source_look=look))
    plain = plain_key(row, group)
    whole = plain_verdict(row.entry, delivery.version_id, source, destination)
    expected = None if whole is None else row_of(whole)
    assert VERDICTS.of_heads(plain, source, destination) == expected
    by_look = VERDICTS.of_plan(plain, destination)
    has_looks = look is not None and look_of(destination) is not None
    assert by_look == (expected if has_looks else None)


VERDICTS = PlainVerdicts()
"""One for all examples: what it remembers of one must hold for every other."""


def test_a_shape_beyond_those_that_are_kept_is_judged_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a campaign with a thousand KMS keys has rows without a verdict."""
    monkeypatch.setattr(plain_module, "SHAPES_MAX", 0)
    row, delivery, group = plain_row()
    head = head_of(delivery)
    plain = plain_key(row, group)
    assert PlainVerdicts().of_heads(plain, head, head) is not None


def test_like_heads_of_a_plain_copy_are_recognised_by_checksum_or_by_md5() -> None:
    """If this fails, every row goes the long way, and a million of them take minutes more."""
    row, delivery, group = plain_row()
    whole = Checksum(algorithm="CRC64NVME", value="a", type=ChecksumType.FULL_OBJECT)
    seen = []
    for checksums in ((whole,), ()):
        source: ObjectHead = head_of(group.source_chain[0], checksums=checksums)  # type: ignore[arg-type] # no marker here
        look = look_of(source)
        plain = plain_key(row._replace(entry=row.entry._replace(source_look=look)), group)
        verdict = PlainVerdicts().of_plan(plain, head_of(delivery, checksums=checksums))
        assert verdict is not None
        seen.append(verdict[VERDICT_COLUMNS.index("evidence")])
    assert seen == [Evidence.FULL_OBJECT_CHECKSUM, Evidence.MD5_ETAG]


@pytest.mark.parametrize("handling", [Handling.READ_SOURCE | Handling.GRANTS, Handling.DEFAULT_ACL])
def test_a_row_whose_acl_was_promised_is_not_plain(handling: Handling) -> None:
    """If this fails, nobody sees that a copy lets in others than its source does."""
    row, _, group = plain_row()
    row = row._replace(entry=row.entry._replace(handling=handling))
    joined = joined_of(row, group)
    assert isinstance(joined, KeyCells)
    assert not is_plain(joined)


@pytest.mark.parametrize(("asked", "is_found"), [("", True), ("SHA256", True), ("SHA1", False)])
def test_a_copy_with_another_algorithm_than_was_asked_for_is_not_plain(
    asked: str, *, is_found: bool
) -> None:
    """If this fails, the campaign's algorithm is on no copy, and verify calls them equal."""
    row, delivery, group = plain_row()
    whole = (Checksum(algorithm="SHA256", value="a", type=ChecksumType.FULL_OBJECT),)
    source: ObjectHead = head_of(group.source_chain[0], checksums=whole)  # type: ignore[arg-type] # no marker here
    look = look_of(source)
    plain = plain_key(row._replace(entry=row.entry._replace(source_look=look)), group)
    verdicts, destination = PlainVerdicts(asked), head_of(delivery, checksums=whole)
    assert (verdicts.of_plan(plain, destination) is not None) == is_found
    assert (verdicts.of_heads(plain, source, destination) is not None) == is_found


@pytest.mark.parametrize("unusual", [{"lock_mode": "GOVERNANCE"}, {"website_redirect": "/a"}])
def test_a_copy_with_a_lock_or_a_redirect_is_not_plain(unusual: dict[str, object]) -> None:
    """If this fails, what a bucket locks by itself is told nobody, and a lost lock is no alarm."""
    row, delivery, group = plain_row()
    (planned_version,) = group.source_chain
    assert isinstance(planned_version, ObjectVersion)
    plain = plain_key(row, group)
    usual = head_of(planned_version), head_of(delivery)
    odd = head_of(planned_version, **unusual), head_of(delivery, **unusual)
    for source, destination in ((odd[0], usual[1]), (usual[0], odd[1]), odd):
        assert PlainVerdicts().of_heads(plain, source, destination) is None
    assert PlainVerdicts().of_heads(plain, *usual) is not None


def test_a_null_version_overwritten_since_is_not_plain() -> None:
    """If this fails, the bytes of another object under `null` are taken for the planned ones."""
    row, delivery, _ = plain_row()
    row = row._replace(entry=row.entry._replace(version_id=NULL_VERSION_ID))
    later = version(KEY, "null", MD5, 7, is_latest=True, last_modified=BEFORE + timedelta(days=1))
    group = KeyGroup(key=KEY, source_chain=(later,), destination_chains=((delivery,),))
    joined = joined_of(row, group)
    assert isinstance(joined, KeyCells)
    assert not is_plain(joined)
    unchanged = later._replace(last_modified=BEFORE)
    assert plain_key(row, group._replace(source_chain=(unchanged,)))


@pytest.mark.parametrize("kind", [kind for kind in OutcomeKind if kind is not OutcomeKind.COPIED])
def test_only_a_copy_of_the_planned_version_is_plain(kind: OutcomeKind) -> None:
    """If this fails, what a worker copied in place of the planned version is taken for it."""
    row, _, group = plain_row()
    (made,) = row.outcomes
    joined = joined_of(row._replace(outcomes=(made._replace(kind=kind),)), group)
    assert isinstance(joined, KeyCells)
    assert not is_plain(joined)
