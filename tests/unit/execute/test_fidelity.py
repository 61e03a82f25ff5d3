"""The fidelity table, cell by cell, against what the workers do on the tiny store."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from backfill.execute.codes import Code
from backfill.execute.fidelity import (
    COPY_ROUTES,
    ROUTES,
    TABLE,
    FidelityField,
    Keeping,
    markdown_table,
)
from backfill.execute.refusals import copy_refusal, upload_refusal
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ReplicationStatus,
)
from backfill.model.objects import Checksum, ChecksumType
from backfill.model.outcome import OutcomeKind
from backfill.model.store import CopyObjectRequest, CreateMultipartUploadRequest
from backfill.plan.routes import Reason, Route
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import SOURCE, Stored

F = FidelityField
KMS = Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:aws:kms:r2:2:key/k")
RICH: dict[str, object] = {
    "part_sizes": (5, 5, 2),
    "metadata": (("owner", "us"),),
    "content_headers": ContentHeaders(content_type="text/plain", cache_control="no-store"),
    "tags": (("a", "b"), ("c", "d")),
    "checksums": (
        Checksum(algorithm="CRC32C", value="x", type=ChecksumType.COMPOSITE, part_count=3),
    ),
}
REFUSED: dict[FidelityField, tuple[dict[str, object], Code]] = {
    F.UNKNOWN_CHECKSUM: (
        {"checksums": (), "unmodelled_checksums": (("x-amz-checksum-sha512", "x"),)},
        Code.CHECKSUM_NOT_KEPT,
    ),
    F.SSE_C: (
        {"encryption": Encryption(kind=EncryptionKind.SSE_C)},
        Code.ENCRYPTION_WOULD_WEAKEN,
    ),
    F.OBJECT_LOCK: ({"lock_mode": "GOVERNANCE"}, Code.OBJECT_LOCK),
    F.ACL: ({"has_default_acl": False}, Code.ACL),
    F.WEBSITE_REDIRECT: ({"website_redirect": "/else"}, Code.WEBSITE_REDIRECT),
    F.UNREADABLE_METADATA: ({"missing_metadata_count": 1}, Code.METADATA_NOT_READABLE),
}
PROBES: dict[FidelityField, Callable[[Stored], object]] = {
    F.BYTES: lambda s: s.body,
    F.METADATA: lambda s: s.metadata,
    F.CONTENT_HEADERS: lambda s: s.content_headers,
    F.TAGS: lambda s: s.tags,
    F.CHECKSUM_ALGORITHM: lambda s: [c.algorithm for c in s.checksums],
    F.CHECKSUM_TYPE: lambda s: [c.type for c in s.checksums],
    F.PART_LAYOUT: lambda s: s.part_sizes,
    F.ETAG: lambda s: s.etag,
    F.VERSION_ID: lambda s: s.version_id,
    F.LAST_MODIFIED: lambda s: s.last_modified,
}
UNREQUESTED = {F.KMS_CONTEXT: "context", F.OWNER: "owner"}
"""What no request of ours can carry; the tiny store does not model it."""


BY_S3_ALONE = {F.UNKNOWN_CHECKSUM: "checksum", F.ANNOTATIONS: "annotation"}
"""What CopyObject brings over unless it is told otherwise; no request of ours names it."""


def planned(route: Route, **extra: object) -> tuple[Run, Stored]:
    limit = 5 if route is Route.MULTIPART_COPY else 100
    run = Run(settings=replace(Settings(), copy_object_bytes_max=limit))
    if route is Route.DELETE_MARKER:
        run.store.replicate(run.store.put("src", "k", b"v0"))
        source = run.store.mark("src", "k")
        run.add(source)
    else:
        source = run.store.put("src", "k", b"0123456789AB", **{**RICH, **extra})
        run.add(source, route=route, storage_class="STANDARD_IA", encryption=KMS)
    return run, source


CELLS = [pytest.param(field, route, id=f"{field} by {route}") for field in F for route in ROUTES]


@pytest.mark.parametrize(("field", "route"), CELLS)
async def test_a_cell_says_what_happens(field: FidelityField, route: Route) -> None:
    """If this fails, the reference promises something that the workers do not do."""
    keeping = TABLE[field, route].keeping
    if keeping is Keeping.REFUSED:
        await is_refused(field, route)
        return
    run, source = planned(route)
    outcome = await run.only()
    assert outcome.kind in (OutcomeKind.COPIED, OutcomeKind.MARKED)
    made = run.store.chain("dst", "k")[0]
    if keeping is Keeping.NONE:
        assert made.is_marker
        assert (made.body, made.metadata, made.tags, made.checksums) == (b"", (), (), ())
    elif keeping is Keeping.SET_BY_RULE:
        assert (made.storage_class, made.encryption) == ("STANDARD_IA", KMS)
    elif field in UNREQUESTED:
        names = list(CopyObjectRequest._fields)
        names += [each.name for each in fields(CreateMultipartUploadRequest)]
        assert not [name for name in names if UNREQUESTED[field] in name]
    elif field in BY_S3_ALONE:
        # Kept by the one request that asks for nothing else; parts are made of what is re-supplied.
        asked = [name for name in CopyObjectRequest._fields if BY_S3_ALONE[field] in name]
        assert not asked
        assert (keeping is Keeping.KEPT) == (route is Route.COPY_OBJECT)
    else:
        probe = PROBES[field]
        assert (probe(made) == probe(source)) == (keeping is Keeping.KEPT)


async def is_refused(field: FidelityField, route: Route) -> None:
    """The plan refuses for both routes by the same word; parts are refused by the worker too."""
    extra, code = REFUSED[field]
    if field is F.ACL:
        assert code.value == Reason.ACL.value
        return
    run, source = planned(route, **extra)
    head = await run.store.head_object(SOURCE, "k", version_id=source.version_id)
    refusal = upload_refusal if route is Route.MULTIPART_COPY else copy_refusal
    assert refusal(head, KMS) is code
    if route is Route.MULTIPART_COPY:
        outcome = await run.only()
        assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, code)
        assert run.bodies() == []
        assert run.store.uploads == {}


@pytest.mark.parametrize("field", [f for f in REFUSED if f is not F.UNKNOWN_CHECKSUM])
async def test_a_newcomer_that_would_lose_a_field_is_not_copied(field: FidelityField) -> None:
    """The version that the plan never looked at: if this fails, it is copied half."""
    run = Run()
    store = run.store
    run.add(store.put("src", "k", b"v1"))
    extra, code = REFUSED[field]

    def overtake() -> None:
        newer = store.put("src", "k", b"v2", status=ReplicationStatus.PENDING, **extra)
        store.replicate(newer)
        chain = store.chain("dst", "k")
        chain.sort(key=lambda s: s.last_modified, reverse=True)

    store.before["copy", 1] = lambda: store.put("src", "k", b"v1.5")
    store.after["copy", 1] = overtake
    # Stamped before our copy, and so below it.
    made_late = run.store.now() + timedelta(hours=1)

    def age_ours() -> None:
        chain = store.chain("dst", "k")
        chain[:] = [replace(s, last_modified=made_late) if s.body == b"v1" else s for s in chain]
        chain.sort(key=lambda s: s.last_modified, reverse=True)

    store.before["list:dst", 2] = age_ours
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.COPIED, Code.STALE)
    assert code in outcome.detail
    assert run.bodies()[0] == b"v1"


def test_the_table_is_whole() -> None:
    """If this fails, a field has no word for some route."""
    assert set(TABLE) == {(field, route) for field in F for route in ROUTES}
    assert all(
        TABLE[field, route].keeping is not Keeping.NONE for field in F for route in COPY_ROUTES
    )
    text = markdown_table()
    assert len(text.splitlines()) == len(F) + 2
    assert "| object tags | kept | kept: as they are" in text
