"""Uploads that a process left open: gone on with where they are the very same, else begun anew."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.errors import Disposition, RefusedError
from backfill.events.copying import PartsNotListed, UploadResumed
from backfill.execute.codes import Code
from backfill.execute.multipart import LISTED_AGAIN_MAX
from backfill.execute.parts import computed_ranges, ranges_of
from backfill.execute.upload_plan import UploadPlan
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind
from backfill.model.objects import Checksum, ChecksumType, ETag, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.model.store import (
    CopiedPart,
    CopySource,
    CreateMultipartUploadRequest,
    ListedPart,
)
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.deaths import deaths, killed
from tests.unit.execute.versioned_store import (
    DESTINATION,
    SOURCE,
    Upload,
    VersionedStore,
    denied,
    expired,
    fault,
    slow_down,
)

BODY = b"0123456789ABCDEFGHIJKLMN"
SIZES = (5, 5, 5, 5, 4)
SETTINGS = replace(Settings(), copy_object_bytes_max=5, part_bytes=5, parts_in_flight_max=1)
Edit = Callable[[VersionedStore], object]


async def cut_run(*, at: tuple[str, int] = ("part", 3), keys: str = "k") -> Run:
    """Return what the next process finds of a run that died before a call; two parts are there."""
    run = Run(settings=SETTINGS)
    for key in keys:
        run.add(run.store.put("src", key, BODY, part_sizes=SIZES, tags=(("a", "b"),)))
    return await killed(run, at=at)


def the_upload(run: Run) -> Upload:
    (upload,) = run.store.uploads.values()
    return upload


def resumed(run: Run) -> list[tuple[int, int]]:
    found = (event for event in run.talk.events if isinstance(event, UploadResumed))
    return [(event.parts_found, event.parts) for event in found]


def assert_copied_once(run: Run, kind: OutcomeKind, key: str = "k") -> None:
    assert (kind, run.bodies(key)) == (OutcomeKind.COPIED, [BODY])
    assert run.store.chain("dst", key)[0].part_sizes == SIZES
    assert run.store.uploads == {}


async def test_parts_that_are_there_are_not_copied_again() -> None:
    """If this fails, a five terabyte copy that was killed at its end begins at byte 0."""
    run = await cut_run()
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert resumed(run) == [(2, 5)]
    assert run.store.calls["create"] == 1
    assert run.store.calls["part"] == 3 + 3, "the third was cut before it was applied"
    assert run.store.calls["abort"] == 0
    assert run.store.chain("dst", "k")[0].tags == (("a", "b"),)


async def test_all_parts_are_found_over_all_pages() -> None:
    """If this fails, what lies behind the first page of parts is copied again."""
    run = await cut_run(at=("complete", 1))
    run.settings = replace(run.settings, page_max=2)
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert (resumed(run), run.store.calls["part"]) == ([(5, 5)], 5)
    assert run.store.calls["list_parts"] == 3


async def test_an_upload_may_be_resumed_by_one_process_after_the_other() -> None:
    """If this fails, only the first kill is survived by part."""
    last = await killed(await cut_run(), at=("part", 5))
    outcome = await last.only()
    assert_copied_once(last, outcome.kind)
    assert (resumed(last), last.store.calls["create"]) == ([(3, 5)], 1)


@pytest.mark.parametrize("keys", ["k", "kl"])
async def test_a_death_at_any_call_of_a_resume_is_resumed_again(keys: str) -> None:
    """If this fails, the second crash loses, doubles or leaves behind what the first did not."""

    async def scene() -> Run:
        return await cut_run(keys=keys)

    async for _, last in deaths(scene, at_least=11):
        for outcome, key in zip(await last.go(), keys, strict=True):
            assert_copied_once(last, outcome.kind, key)


# --- What is not the same is begun anew ---


def other_tags(store: VersionedStore) -> None:
    chain = store.chain("src", "k")
    chain[0] = replace(chain[0], tags=(("a", "another"),))


def other_part_size(store: VersionedStore) -> None:
    (upload,) = store.uploads.values()
    upload.parts[2] = b"1234"


def part_beyond(store: VersionedStore) -> None:
    (upload,) = store.uploads.values()
    upload.parts[6] = b"12345"


def aborted(store: VersionedStore) -> None:
    store.uploads.clear()


@pytest.mark.parametrize("edit", [other_tags, other_part_size, part_beyond, aborted])
async def test_an_upload_that_is_not_the_same_is_aborted_and_begun_anew(edit: Edit) -> None:
    """If this fails, a copy has parts or tags of something else."""
    run = await cut_run()
    edit(run.store)
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert (resumed(run), run.store.calls["create"]) == ([], 2)
    assert run.store.calls["abort"] == 1
    assert run.store.chain("dst", "k")[0].tags == run.store.chain("src", "k")[0].tags


async def test_another_part_size_of_ours_begins_anew() -> None:
    """If this fails, parts of two layouts are put together to what is no copy."""
    run = Run(settings=replace(SETTINGS, part_bytes=5))
    body = b"x" * (12 * 1024 * 1024)
    run.add(run.store.put("src", "k", body))
    again = await killed(run, at=("part", 2))
    again.settings = replace(SETTINGS, part_bytes=6 * 1024 * 1024)
    outcome = await again.only()
    assert (outcome.kind, again.bodies()) == (OutcomeKind.COPIED, [body])
    assert (resumed(again), again.store.calls["create"]) == ([], 2)


async def test_a_null_version_that_was_overwritten_gets_no_part_of_the_old_one() -> None:
    """If this fails, an object is put together from two, under one and the same version ID."""
    run = await cut_run()
    chain = run.store.chain("src", "k")
    chain[0] = replace(chain[0], body=BODY[::-1])
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SUPERSEDED, Code.NEWER_VERSION)
    assert (run.bodies(), run.store.uploads) == ([], {})


async def test_a_destination_that_changed_gets_nothing_of_an_old_decision() -> None:
    """If this fails, an upload outlives the decision that it was begun for."""
    run = await cut_run()
    stranger = run.store.put("dst", "k", b"a stranger's")
    outcome = await run.only()
    assert outcome.kind is OutcomeKind.SKIPPED
    assert run.bodies() == [stranger.body]
    assert run.store.uploads == {}
    assert run.store.calls["list_parts"] == 0


async def test_another_version_seen_is_another_intent() -> None:
    """If this fails, a copy over what came since is not known as ours after the next crash."""
    run = Run(settings=SETTINGS)
    marker = run.store.mark("src", "k")
    run.add(run.store.put("src", "k", BODY, part_sizes=SIZES))
    again = await killed(run, at=("part", 3))
    again.store.replicate(marker)
    outcome = await again.only()
    assert (outcome.kind, again.bodies()) == (OutcomeKind.COPIED, [BODY, None])
    assert [intent.seen_version_id for intent in again.journal.intents] == [marker.version_id]
    assert (again.store.calls["create"], again.store.uploads) == (2, {})


async def test_an_old_upload_that_completes_before_its_abort_is_found() -> None:
    """A Complete of the dead process may still be under way: if this fails, it is not looked for.

    The source has moved on, so nothing is copied; the old upload becomes visible just then.
    """
    run = await cut_run(at=("complete", 1))
    run.store.put("src", "k", b"newer")
    run.store.before["abort", 1] = run.store.complete_late
    outcome = await run.only()
    assert run.bodies() == [BODY]
    assert outcome.version_id == run.store.chain("dst", "k")[0].version_id


# --- What keeps the list from us ---


async def test_without_the_permission_uploads_are_begun_anew_and_it_is_said_once() -> None:
    """If this fails, one action that is missing in a policy keeps runs from being resumed."""
    run = await cut_run(keys="klm")
    for call in range(1, 9):
        run.store.refused_before["list_parts", call] = denied
    outcomes = await run.go()
    for outcome, key in zip(outcomes, "klm", strict=True):
        assert_copied_once(run, outcome.kind, key)
    (told,) = [event for event in run.talk.events if isinstance(event, PartsNotListed)]
    assert (told.bucket, told.code) == ("dst", "AccessDenied")
    assert "s3:ListMultipartUploadParts" in told.hint


@pytest.mark.parametrize("code", ["NotImplemented", "501"])
async def test_a_store_without_this_list_is_no_reason_to_stop(code: str) -> None:
    """If this fails, no interrupted run can ever be resumed on such a store."""
    run = await cut_run()
    run.store.refused_before["list_parts", 1] = lambda: fault(code, 501, Disposition.STOP)
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)


async def test_a_list_that_cannot_be_read_costs_time_and_nothing_else() -> None:
    """If this fails, a store that answers this one call badly fails every copy that was cut."""
    run = await cut_run()
    run.store.refused_before["list_parts", 1] = slow_down
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert run.store.calls["create"] == 2


async def test_a_list_that_comes_to_no_end_is_left() -> None:
    """If this fails, a store with a broken marker keeps a worker for ever."""
    run = await cut_run()
    run.store.has_endless_pages = True
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert run.store.calls["list_parts"] == 2


async def test_a_run_that_must_stop_leaves_the_upload_to_the_next() -> None:
    """If this fails, an expired token costs every part that was there."""
    run = await cut_run()
    run.store.refused_before["list_parts", 1] = expired
    with pytest.raises(RefusedError):
        await run.go()
    last = run.restarted()
    outcome = await last.only()
    assert_copied_once(last, outcome.kind)
    assert resumed(last) == [(2, 5)]


@pytest.mark.parametrize("call", [("tags", 1), ("head:src", 1)])
async def test_a_read_that_fails_on_the_way_keeps_the_upload(call: tuple[str, int]) -> None:
    """If this fails, one throttled HEAD throws a terabyte of parts away."""
    run = await cut_run()
    operation, nth = call
    run.store.refused_before[operation, run.store.calls[operation] + nth] = slow_down
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert resumed(run) == [(2, 5)]


# --- Parts that land late ---


async def test_a_part_that_lands_late_is_completed_with_the_etag_that_it_has_now() -> None:
    """Under SSE-KMS equal bytes have other ETags: if this fails, all is copied anew for it."""
    run = await cut_run()
    run.store.before["complete", 1] = lambda: the_upload(run).late.update({2: "e" * 32})
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert (run.store.calls["complete"], run.store.calls["create"]) == (2, 1)


async def test_parts_that_change_for_ever_are_begun_anew() -> None:
    """If this fails, whoever writes into our upload keeps a worker for ever."""
    run = await cut_run()
    tries = LISTED_AGAIN_MAX + 1

    def land() -> None:
        the_upload(run).late[2] = f"{run.store.calls['complete']:032}"

    run.store.before |= {("complete", call): land for call in range(1, tries + 1)}
    outcome = await run.only()
    assert_copied_once(run, outcome.kind)
    assert (run.store.calls["complete"], run.store.calls["create"]) == (tries + 1, 2)


# --- The digest and the parts that count ---

PLAN = UploadPlan(
    source=CopySource(place=SOURCE, key="k", version_id=VersionId("v"), etag=ETag("e")),
    request=CreateMultipartUploadRequest(
        destination=DESTINATION,
        key="k",
        metadata=(("a", "b"),),
        content_headers=ContentHeaders(content_type="text/plain"),
        tags=(("t", "u"),),
        storage_class="STANDARD",
        encryption=Encryption(kind=EncryptionKind.SSE_S3),
        checksum_algorithm="SHA256",
        checksum_type=ChecksumType.COMPOSITE,
    ),
    ranges=ranges_of((5, 5, 4)),
)
OTHERS = {
    "version": {"source": PLAN.source._replace(version_id=VersionId("w"))},
    "ETag of the null version": {"source": PLAN.source._replace(etag=ETag("f"))},
    "source bucket": {"source": PLAN.source._replace(place=DESTINATION)},
    "destination": {"request": replace(PLAN.request, destination=SOURCE)},
    "metadata": {"request": replace(PLAN.request, metadata=(("a", "c"),))},
    "content headers": {"request": replace(PLAN.request, content_headers=ContentHeaders())},
    "tags": {"request": replace(PLAN.request, tags=())},
    "storage class": {"request": replace(PLAN.request, storage_class="GLACIER")},
    "encryption": {"request": replace(PLAN.request, encryption=None)},
    "algorithm": {"request": replace(PLAN.request, checksum_algorithm="SHA1")},
    "type": {"request": replace(PLAN.request, checksum_type=ChecksumType.FULL_OBJECT)},
    "another cut": {"ranges": ranges_of((5, 4, 5))},
    "parts of the same sizes at other places": {"ranges": ranges_of((4, 5, 5))},
    "one part more": {"ranges": ranges_of((5, 5, 3, 1))},
    "computed": {"ranges": computed_ranges(14, part_bytes=5)},
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS)
def test_whatever_decides_the_copy_is_in_the_digest(changed: dict[str, object]) -> None:
    """If this fails, an upload is gone on with that is made of something else."""
    other = replace(PLAN, **changed)  # type: ignore[arg-type] # named by the table
    assert other.digest() != PLAN.digest()
    assert replace(PLAN).digest() == PLAN.digest()


def listed(number: int, size_bytes: int, *algorithms: str) -> ListedPart:
    checksums = tuple(
        Checksum(algorithm=name, value="c", type=ChecksumType.FULL_OBJECT) for name in algorithms
    )
    part = CopiedPart(part_number=number, etag=ETag(f"e{number}"), checksums=checksums)
    return ListedPart(part=part, size_bytes=size_bytes)


@pytest.mark.parametrize(
    ("checksum_type", "parts", "counting"),
    [
        (ChecksumType.COMPOSITE, [listed(1, 5, "SHA256"), listed(3, 4, "SHA256")], {1, 3}),
        (ChecksumType.COMPOSITE, [listed(1, 5), listed(3, 4, "SHA256")], {3}),
        (ChecksumType.COMPOSITE, [listed(1, 5, "CRC32"), listed(2, 5, "CRC32", "SHA256")], {2}),
        (ChecksumType.FULL_OBJECT, [listed(1, 5)], {1}),
        (None, [listed(2, 5), listed(1, 5, "CRC64NVME")], {1, 2}),
        (None, [], set()),
        (None, [listed(1, 5), listed(3, 5)], None),
        (None, [listed(1, 5), listed(4, 5)], None),
        (None, [listed(0, 5)], None),
    ],
)
def test_only_parts_of_the_layout_with_what_complete_needs_count(
    checksum_type: ChecksumType | None, parts: list[ListedPart], counting: set[int] | None
) -> None:
    """If this fails, S3 refuses the upload at its end, or completes it with what is not ours."""
    plan = replace(PLAN, request=replace(PLAN.request, checksum_type=checksum_type))
    found = plan.copied_parts(parts)
    assert (None if found is None else set(found)) == counting
