"""Plan and manifest rows survive the artefact, whatever the key."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.manifest import rows as manifest_rows
from backfill.manifest.entries import ManifestEntry, manifest_entry
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan import rows as plan_rows
from backfill.plan.entries import DestinationSeen, PlanEntry, word_of
from backfill.plan.routes import PLAIN, Handling, Reason, Route

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = st.one_of(TEXT, st.sampled_from(["\n", "a\x00b", "//", "../x", "=1+1", "<b>", "é%2F+ "]))
ETAGS = st.text("0123456789abcdef-", min_size=1, max_size=35).map(ETag)
VERSION_IDS = st.text("abcXYZ019._", min_size=1, max_size=8).map(VersionId)
COUNTS = st.integers(0, 2**60)
TIMES = st.timedeltas(timedelta(), timedelta(days=40_000)).map(
    lambda since: datetime(2006, 3, 14, tzinfo=UTC) + since
)
ENCRYPTIONS = (
    st.none()
    | st.builds(
        Encryption,
        kind=st.sampled_from([kind for kind in EncryptionKind if kind is not EncryptionKind.SSE_C]),
        kms_key_arn=st.none() | TEXT,
        is_bucket_key_enabled=st.booleans(),
    )
    | st.builds(Encryption, kind=st.just(EncryptionKind.SSE_C), customer_key_md5=st.none() | TEXT)
)
PRECONDITIONS = st.none() | st.just(IfAbsent()) | st.builds(IfReplaces, etag=ETAGS)
SEEN = st.none() | st.builds(
    DestinationSeen, version_id=VERSION_IDS, is_delete_marker=st.booleans(), etag=st.none() | ETAGS
)
SHARED = {
    "number": COUNTS, "key": KEYS, "size_bytes": COUNTS, "last_modified": TIMES,
    "destination": st.integers(0, 27), "rule_id": TEXT, "storage_class": TEXT,
    "encryption": ENCRYPTIONS, "precondition": PRECONDITIONS,
    "has_other_writers": st.booleans(), "replicates_delete_markers": st.booleans(),
}  # fmt: skip


@st.composite
def plan_entries(draw: st.DrawFn) -> PlanEntry:
    route, is_marker = draw(st.none() | st.sampled_from(Route)), draw(st.booleans())
    fields: dict[str, Any] = {name: draw(strategy) for name, strategy in SHARED.items()}
    if route is Route.BATCH_REPLICATION:
        fields["precondition"] = None
    return PlanEntry(
        **fields,
        version_id=draw(VERSION_IDS),
        is_delete_marker=is_marker,
        is_latest=draw(st.booleans()),
        etag=None if is_marker else draw(ETAGS),
        route=route,
        reason=draw(st.sampled_from(Reason)) if route is None else None,
        detail=draw(TEXT),
        seen=draw(SEEN),
    )


def stored(row: Any) -> Any:
    return json.loads(json.dumps(list(row)))


@given(plan_entries())
def test_a_plan_entry_survives_its_row(entry: PlanEntry) -> None:
    """If this fails, execute works on another key, guard or key ARN than was planned."""
    row = plan_rows.row_of(entry)
    assert len(row) == len(plan_rows.COLUMNS)
    assert plan_rows.entry_of(stored(row)) == entry


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC), allow_imaginary=False),
    st.booleans(),
)
def test_a_time_is_spelled_in_iso_format(moment: datetime, has_whole_seconds: bool) -> None:
    """If this fails, equal times have unlike cells, or no reader can read them."""
    time = moment.replace(microsecond=0) if has_whole_seconds else moment
    try:
        expected = time.astimezone(UTC).isoformat()
    except OverflowError:  # before the year 1 or after 9999 in UTC
        return
    assert plan_rows.time_cell(time) == expected


@given(
    st.builds(
        ManifestEntry,
        **SHARED,
        plan_number=st.none() | COUNTS,
        version_id=st.none() | VERSION_IDS,
        etag=st.none() | ETAGS,
        route=st.sampled_from(Route),
        seen_version_id=st.none() | VERSION_IDS,
    )
)
def test_a_manifest_entry_survives_its_row(entry: ManifestEntry) -> None:
    """If this fails, a worker writes something that was never planned."""
    row = manifest_rows.row_of(entry)
    assert len(row) == len(manifest_rows.COLUMNS)
    assert manifest_rows.entry_of(stored(row)) == entry


@given(plan_entries().filter(lambda entry: entry.route is not None), COUNTS)
def test_the_work_of_a_planned_row_is_that_of_its_entry(entry: PlanEntry, number: int) -> None:
    """If this fails, the first manifest asks for other work than the plan."""
    planned = stored(plan_rows.row_of(entry))
    (work,) = manifest_rows.rows_of_planned(number, [planned])
    assert manifest_rows.entry_of(stored(work)) == manifest_entry(number, entry)


ENTRY = PlanEntry(
    number=7,
    key="a/b\n",
    version_id=VersionId("v1"),
    is_delete_marker=False,
    is_latest=True,
    last_modified=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    etag=ETag("e1"),
    size_bytes=30,
    destination=2,
    route=Route.COPY_OBJECT,
    detail="why",
    rule_id="rule",
    storage_class="STANDARD_IA",
    encryption=Encryption(
        kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:key", is_bucket_key_enabled=True
    ),
    precondition=IfReplaces(etag=ETag("e0")),
    seen=DestinationSeen(VersionId("x1"), is_delete_marker=False, etag=ETag("e0")),
    has_other_writers=False,
    replicates_delete_markers=True,
    handling=Handling.HISTORY | Handling.GRANTS,
    source_look="look",
)
CELLS = {
    "number": 7,
    "key": "a/b\n",
    "version_id": "v1",
    "is_delete_marker": False,
    "is_latest": True,
    "last_modified": "2026-01-02T03:04:05+00:00",
    "etag": "e1",
    "size_bytes": 30,
    "destination": 2,
    "route": "copy-object",
    "reason": None,
    "detail": "why",
    "rule_id": "rule",
    "storage_class": "STANDARD_IA",
    "encryption": "aws:kms",
    "kms_key_arn": "arn:key",
    "is_bucket_key_enabled": True,
    "precondition": "e0",
    "seen_version_id": "x1",
    "seen_is_delete_marker": False,
    "seen_etag": "e0",
    "has_other_writers": False,
    "replicates_delete_markers": True,
    "handling": 9,
    "source_look": "look",
}
MARKER = ENTRY._replace(
    is_delete_marker=True,
    etag=None,
    size_bytes=0,
    route=None,
    reason=Reason.NONCURRENT,
    encryption=None,
    precondition=None,
    seen=None,
    handling=PLAIN,
    source_look=None,
)
MARKER_CELLS = {
    "is_delete_marker": True,
    "etag": None,
    "size_bytes": 0,
    "route": None,
    "reason": "noncurrent",
    "encryption": None,
    "kms_key_arn": None,
    "is_bucket_key_enabled": False,
    "precondition": None,
    "seen_version_id": None,
    "seen_is_delete_marker": False,
    "seen_etag": None,
    "handling": 0,
    "source_look": None,
}


@pytest.mark.parametrize(
    ("entry", "changes"),
    [
        (ENTRY, {}),
        (MARKER, MARKER_CELLS),
        (ENTRY._replace(precondition=IfAbsent()), {"precondition": "*"}),
        (
            ENTRY._replace(
                encryption=Encryption(kind=EncryptionKind.SSE_C, customer_key_md5="md5==")
            ),
            {"encryption": "SSE-C", "kms_key_arn": "md5==", "is_bucket_key_enabled": False},
        ),
        (
            ENTRY._replace(seen=DestinationSeen(VersionId("x2"), is_delete_marker=True)),
            {"seen_version_id": "x2", "seen_is_delete_marker": True, "seen_etag": None},
        ),
    ],
)
def test_a_plan_entry_has_these_cells_under_these_names(
    entry: PlanEntry, changes: dict[str, Any]
) -> None:
    """If this fails, rows of a plan that another release wrote are read as something else."""
    plan_rows.encryption_of.cache_clear()
    row = plan_rows.row_of(entry)
    assert dict(zip(plan_rows.COLUMNS, row, strict=True)) == {**CELLS, **changes}
    read = plan_rows.entry_of(stored(row))
    assert read == entry
    assert [type(cell) for cell in read] == [type(cell) for cell in entry]


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": Reason.NO_RULE},
        {"route": None},
        {"etag": None},
        {"is_delete_marker": True},
        {"route": None, "reason": Reason.NO_RULE},
        {"route": Route.BATCH_REPLICATION, "precondition": None},
        {"route": Route.BATCH_REPLICATION, "handling": PLAIN},
    ],
)
def test_a_row_that_says_two_things_or_none_is_refused(changes: dict[str, Any]) -> None:
    """If this fails, a plan is written that no worker can carry out as it stands."""
    with pytest.raises(AssertionError):
        plan_rows.row_of(ENTRY._replace(**changes))


def test_an_entry_is_counted_under_its_route_or_its_reason() -> None:
    """If this fails, totals count versions under another word than their rows have."""
    assert (word_of(ENTRY), word_of(MARKER)) == (Route.COPY_OBJECT, Reason.NONCURRENT)
