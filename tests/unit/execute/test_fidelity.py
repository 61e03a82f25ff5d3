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
from backfill.model.store import CopyObjectRequest, CreateMultipartUploadRequest, Grant
from backfill.plan.routes import PLAIN, Handling, Route
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import SOURCE, START, Stored

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
    F.OBJECT_LOCK: (LOCK, READ),
    F.ACL: (
        {"grants": (Grant("READ", "uri", EVERYBODY), Grant("READ_ACP", "id", "another"))},
        READ | Handling.GRANTS,
    ),
    F.WEBSITE_REDIRECT: ({"website_redirect": "/else"}, READ),
}
"""What a copy leaves behind unless it is named, and how the plan says that it is to be read."""
LACKING: dict[FidelityField, tuple[dict[str, object], Code]] = {
    F.OBJECT_LOCK: (LOCK, Code.OBJECT_LOCK),
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
    F.OBJECT_LOCK: lambda s: (s.lock_mode, s.retain_until, s.has_legal_hold),
    F.ACL: lambda s: s.grants,
    F.WEBSITE_REDIRECT: lambda s: s.website_redirect,
    F.VERSION_ID: lambda s: s.version_id,
    F.LAST_MODIFIED: lambda s: s.last_modified,
}
UNREQUESTED = {F.KMS_CONTEXT: "context", F.OWNER: "owner"}
"""What no request of ours can carry; the tiny store does not model it."""


BY_S3_ALONE = {F.UNKNOWN_CHECKSUM: "checksum", F.ANNOTATIONS: "annotation"}
"""What CopyObject brings over unless it is told otherwise; no request of ours names it."""


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


CELLS = [pytest.param(field, route, id=f"{field} by {route}") for field in F for route in ROUTES]


@pytest.mark.parametrize(("field", "route"), CELLS)
async def test_a_cell_says_what_happens(field: FidelityField, route: Route) -> None:
    """If this fails, the reference promises something that the workers do not do."""
    keeping = TABLE[field, route].keeping
    if keeping is Keeping.REFUSED:
        await is_refused(field, route)
        return
    has, handling = NAMED.get(field, ({}, PLAIN))
    run, source = planned(route, handling, **has)
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
    run, source = planned(route, PLAIN, **extra)
    head = await run.store.head_object(SOURCE, "k", version_id=source.version_id)
    refusal = upload_refusal if route is Route.MULTIPART_COPY else copy_refusal
    assert refusal(head, KMS) is code
    if route is Route.MULTIPART_COPY:
        outcome = await run.only()
        assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, code)
        assert run.bodies() == []
        assert run.store.uploads == {}


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
    *((name, has, None) for name, (has, _) in NAMED.items() if name is not F.OBJECT_LOCK),
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


def test_the_table_is_whole() -> None:
    """If this fails, a field has no word for some route."""
    assert set(TABLE) == {(field, route) for field in F for route in ROUTES}
    assert all(
        TABLE[field, route].keeping is not Keeping.NONE for field in F for route in COPY_ROUTES
    )
    text = markdown_table()
    assert len(text.splitlines()) == len(F) + 2
    assert "| object tags | kept | kept: as they are" in text
