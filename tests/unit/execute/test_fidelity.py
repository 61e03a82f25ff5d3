"""The fidelity table, cell by cell, against what the workers do on the tiny store."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from backfill.execute.codes import Code
from backfill.execute.ordinary import is_ordinary
from backfill.execute.refusals import copy_refusal, upload_refusal
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ReplicationStatus,
)
from backfill.model.extras import Abilities
from backfill.model.objects import Checksum, ChecksumType
from backfill.model.outcome import OutcomeKind
from backfill.model.store import (
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    Extras,
    Grant,
)
from backfill.plan.routes import PLAIN, Handling, Route
from backfill.settings import Settings
from tests.doubles.fidelity_table import TABLE, FidelityField, Keeping
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import SOURCE, START, Stored

F = FidelityField
COPY_ROUTES = (Route.COPY_OBJECT, Route.MULTIPART_COPY)
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
    F.UNREADABLE_METADATA: ({"missing_metadata_count": 1}, Code.METADATA_NOT_READABLE),
}
READ = Handling.READ_SOURCE
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
LOCK: dict[str, object] = {
    "lock_mode": "COMPLIANCE",
    "retain_until": START + timedelta(days=365),
    "has_legal_hold": True,
}
NAMED: dict[FidelityField, tuple[dict[str, object], Handling]] = {
    F.COMPLIANCE: (LOCK, READ),
    F.ACL: (
        {"grants": (Grant("READ", "uri", EVERYBODY), Grant("READ_ACP", "id", "another"))},
        READ | Handling.GRANTS,
    ),
    F.WEBSITE_REDIRECT: ({"website_redirect": "/else"}, READ),
}
"""What a copy leaves behind unless it is named, and how the plan says that it is to be read."""
LACKING: dict[FidelityField, tuple[dict[str, object], Code]] = {
    F.COMPLIANCE: (LOCK, Code.OBJECT_LOCK),
    F.ACL: ({"grants": (Grant("WRITE", "id", "another"),)}, Code.ACL),
    F.WEBSITE_REDIRECT: ({"website_redirect": "/\u00e9"}, Code.WEBSITE_REDIRECT),
}
"""What no request can name, or this destination not keep."""
ABLE = (Abilities(has_object_lock=True, owner_id="dst"),)
UNABLE = (Abilities(has_object_lock=False, owner_id="dst"),)
PROBES: dict[FidelityField, Callable[[Stored], object]] = {
    F.BYTES: lambda s: s.body,
    F.METADATA: lambda s: s.metadata,
    F.CONTENT_HEADERS: lambda s: s.content_headers,
    F.TAGS: lambda s: s.tags,
    F.CHECKSUM_ALGORITHM: lambda s: [c.algorithm for c in s.checksums],
    F.CHECKSUM_TYPE: lambda s: [c.type for c in s.checksums],
    F.PART_LAYOUT: lambda s: s.part_sizes,
    F.ETAG: lambda s: s.etag,
    F.COMPLIANCE: lambda s: (s.lock_mode, s.retain_until, s.has_legal_hold),
    F.ACL: lambda s: s.grants,
    F.WEBSITE_REDIRECT: lambda s: s.website_redirect,
    F.VERSION_ID: lambda s: s.version_id,
    F.LAST_MODIFIED: lambda s: s.last_modified,
}
UNASKED = {F.KMS_CONTEXT: "context", F.ANNOTATIONS: "annotation"}
"""What no request of ours can carry; the tiny store does not model it."""


def planned(route: Route, handling: Handling = PLAIN, **extra: object) -> tuple[Run, Stored]:
    limit = 5 if route is Route.MULTIPART_COPY else 100
    run = Run(settings=replace(Settings(), copy_object_bytes_max=limit), abilities=ABLE)
    if route is Route.DELETE_MARKER:
        run.store.replicate(run.store.put("src", "k", b"v0"))
        source = run.store.mark("src", "k")
        run.add(source)
    else:
        source = run.store.put("src", "k", b"0123456789AB", **{**RICH, **extra})
        run.add(source, route=route, storage_class="STANDARD_IA", encryption=KMS, handling=handling)
    return run, source


@pytest.mark.parametrize("route", COPY_ROUTES)
@pytest.mark.parametrize("field", PROBES)
async def test_a_worker_keeps_what_the_table_says(field: FidelityField, route: Route) -> None:
    """If this fails, the reference promises something that the workers do not do."""
    has, handling = NAMED.get(field, ({}, PLAIN))
    run, source = planned(route, handling, **has)
    assert (await run.only()).kind is OutcomeKind.COPIED
    made, probe = run.store.chain("dst", "k")[0], PROBES[field]
    assert (probe(made) == probe(source)) == (TABLE[field, route].keeping is Keeping.KEPT)
    assert (made.storage_class, made.encryption) == ("STANDARD_IA", KMS)


async def test_a_marker_has_nothing_to_keep() -> None:
    """If this fails, something is written where the source has a delete marker."""
    run, _ = planned(Route.DELETE_MARKER)
    assert (await run.only()).kind is OutcomeKind.MARKED
    made = run.store.chain("dst", "k")[0]
    assert made.is_marker
    assert (made.body, made.metadata, made.tags, made.checksums) == (b"", (), (), ())


@pytest.mark.parametrize("field", UNASKED)
def test_what_no_request_can_name_is_named_by_none(field: FidelityField) -> None:
    """If this fails, a request can say what the reference calls beyond any request."""
    names = list(CopyObjectRequest._fields) + list(Extras._fields)
    names += [each.name for each in fields(CreateMultipartUploadRequest)]
    assert not [name for name in names if UNASKED[field] in name]


@pytest.mark.parametrize(
    ("field", "route"),
    [
        (field, route)
        for field in REFUSED
        for route in COPY_ROUTES
        if TABLE[field, route].keeping is Keeping.REFUSED
    ],
)
async def test_a_worker_refuses_what_would_be_lost(field: FidelityField, route: Route) -> None:
    """If this fails, a version arrives without a field, and nobody is told."""
    extra, code = REFUSED[field]
    run, source = planned(route, READ, **extra)
    head = await run.store.head_object(SOURCE, "k", version_id=source.version_id)
    refusal = upload_refusal if route is Route.MULTIPART_COPY else copy_refusal
    assert refusal(head, KMS) is code
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, code)
    assert (run.bodies(), run.store.uploads) == ([], {})


async def test_one_copy_leaves_a_checksum_that_the_sdk_does_not_know_to_s3() -> None:
    """If this fails, what one CopyObject carries over by itself is refused, or overruled."""
    extra, _ = REFUSED[F.UNKNOWN_CHECKSUM]
    run, _ = planned(Route.COPY_OBJECT, READ, **extra)
    assert (await run.only()).kind is OutcomeKind.COPIED
    (request,) = run.store.requests
    assert isinstance(request, CopyObjectRequest)
    assert request.extras.checksum_algorithm == ""


@pytest.mark.parametrize("route", COPY_ROUTES)
@pytest.mark.parametrize("field", LACKING)
async def test_what_came_since_the_plan_and_cannot_be_kept_refuses_the_copy(
    field: FidelityField, route: Route
) -> None:
    """If this fails, a lock, an ACL or a redirect set after the plan is lost without a word."""
    has, code = LACKING[field]
    run, _ = planned(route, READ | Handling.GRANTS, **has)
    run.abilities = UNABLE
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, code)
    assert (run.bodies(), run.store.uploads, run.journal.intents) == ([], {}, [])


@pytest.mark.parametrize("route", COPY_ROUTES)
async def test_retention_that_has_ended_is_not_sent(route: Route) -> None:
    """If this fails, S3 refuses the copy: it takes no date that has passed."""
    ended = {"lock_mode": "GOVERNANCE", "retain_until": START, "has_legal_hold": True}
    run, _ = planned(route, READ, **ended)
    assert (await run.only()).kind is OutcomeKind.COPIED
    made = run.store.chain("dst", "k")[0]
    assert (made.lock_mode, made.retain_until, made.has_legal_hold) == (None, None, True)


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "SHA256"])
@pytest.mark.parametrize("route", COPY_ROUTES)
async def test_the_campaigns_checksum_algorithm_is_every_copys(
    route: Route, algorithm: str
) -> None:
    """If this fails, the campaign asked for an algorithm, and copies have another."""
    run, _ = planned(route)
    run.checksum_algorithm = algorithm
    assert (await run.only()).kind is OutcomeKind.COPIED
    made = run.store.chain("dst", "k")[0]
    assert [checksum.algorithm for checksum in made.checksums] == [algorithm]


def test_a_copy_that_names_nothing_is_prepared_as_ever() -> None:
    """If this fails, every ordinary copy is read first, and takes twice as long."""
    run = Run(abilities=ABLE)
    entry = run.add(run.store.put("src", "k", b"v"))
    assert entry.handling is PLAIN
    assert is_ordinary(entry, copy_object_bytes_max=100)
    assert not is_ordinary(entry._replace(handling=READ), copy_object_bytes_max=100)


NEWCOMERS = [
    *((name, has, code) for name, (has, code) in REFUSED.items() if name is not F.UNKNOWN_CHECKSUM),
    *((name, has, code) for name, (has, code) in LACKING.items()),
    *((name, has, None) for name, (has, _) in NAMED.items() if name is not F.COMPLIANCE),
]


@pytest.mark.parametrize(("field", "extra", "code"), NEWCOMERS)
async def test_a_newcomer_arrives_whole_or_not_at_all(
    field: FidelityField, extra: dict[str, object], code: Code | None
) -> None:
    """The version that the plan never looked at: if this fails, it is copied half."""
    run = Run(abilities=UNABLE)
    store = run.store
    run.add(store.put("src", "k", b"v1"))

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
    if code is not None:
        assert (outcome.kind, outcome.code) == (OutcomeKind.COPIED, Code.STALE)
        assert code in outcome.detail
        assert run.bodies()[0] == b"v1"
        return
    assert (outcome.kind, outcome.code) == (OutcomeKind.SUPERSEDED, Code.NEWER_VERSION_COPIED)
    newer, copy = store.chain("src", "k")[0], store.chain("dst", "k")[0]
    assert copy.body == b"v2"
    assert PROBES[field](copy) == PROBES[field](newer)
