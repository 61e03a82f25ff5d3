"""Guards of copies and of their verification, each taken away at its exact place."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from backfill.aws import faults, requests
from backfill.aws.retry import RetryingStore
from backfill.errors import Disposition, StoreFault
from backfill.execute import crew, decide, upload_reads
from backfill.execute.crew import Crew
from backfill.execute.request import create_upload_request
from backfill.execute.settle import settled_attempt
from backfill.execute.upload_plan import UploadPlan
from backfill.execute.views import Step, View
from backfill.journal.journal import SegmentJournal
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import DeleteMarker, VersionId
from backfill.model.outcome import Outcome
from backfill.model.store import (
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    Precondition,
    WriteResult,
)
from backfill.verify import judge, looks, plain
from backfill.verify.decisions import Decision, KeyView, PlannedRow
from backfill.verify.findings import delivered, missing
from tests.doubles.model_requests import Parameters
from tests.mutants.teeth import Kind, Mutant, Patch
from tests.simulation.checkers import Promise, Violation, violations
from tests.simulation.simulate import simulate


def _without(patch: Patch, name: str, word: str) -> None:
    whole: Callable[[object], Parameters] = getattr(requests, name)

    def without(request: object) -> Parameters:
        return {said: value for said, value in whole(request).items() if said != word}

    patch.setattr(requests, name, without)


def no_if_none_match(patch: Patch) -> None:
    """A copy to an absent key goes without If-None-Match."""
    whole = requests._precondition

    def without(precondition: Precondition) -> Parameters:
        return {} if isinstance(precondition, IfAbsent) else whole(precondition)

    patch.setattr(requests, "_precondition", without)


def no_if_match(patch: Patch) -> None:
    """A copy over an older one goes without If-Match."""
    whole = requests._precondition

    def without(precondition: Precondition) -> Parameters:
        return {} if isinstance(precondition, IfReplaces) else whole(precondition)

    patch.setattr(requests, "_precondition", without)


def unconditional_hiding(patch: Patch) -> None:
    """A delete marker goes without If-Match."""
    _without(patch, "hide_parameters", "IfMatch")


def no_pinned_source(patch: Patch) -> None:
    """A copy names neither version nor ETag of its source."""
    whole = requests._source

    def without(source: CopySource) -> Parameters:
        said = dict(whole(source))
        del said["CopySourceIfMatch"]
        return {**said, "CopySource": {"Bucket": source.place.bucket, "Key": source.key}}

    patch.setattr(requests, "_source", without)


def a_lost_answer_is_a_failure(patch: Patch) -> None:
    """A write whose answer was lost is not settled from the chain."""
    patch.setattr(decide, "settled_attempt", lambda _entry, _view, **_said: None)


def a_refused_copy_is_never_ours(patch: Patch) -> None:
    """A 412 after a lost answer is never our own write."""
    whole = settled_attempt

    def deaf(entry: ManifestEntry, view: View, *, has_moved_on: bool) -> Step | None:
        answered = tuple(attempt for attempt in view.attempts if not attempt.was_refused)
        return whole(entry, replace(view, attempts=answered), has_moved_on=has_moved_on)

    patch.setattr(decide, "settled_attempt", deaf)


def a_412_is_sent_again(patch: Patch) -> None:
    """A refused precondition is retried as if S3 were busy."""
    whole = faults.verdict

    def eager(
        *, operation: str, code: str, status: int, kinds: tuple[str, ...] = ()
    ) -> Disposition:
        found = whole(operation=operation, code=code, status=status, kinds=kinds)
        return Disposition.RETRY if found is Disposition.REDECIDE else found

    patch.setattr(faults, "verdict", eager)


def done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def counted_before_durable(patch: Patch) -> None:
    """An outcome is counted before it is on disk."""
    whole = SegmentJournal.conclude

    def hasty(journal: SegmentJournal, outcome: Outcome) -> asyncio.Future[None]:
        whole(journal, outcome)
        return done()

    patch.setattr(SegmentJournal, "conclude", hasty)


def no_intent(patch: Patch) -> None:
    """Nothing is on disk before a write."""
    patch.setattr(SegmentJournal, "intend", lambda _journal, *_intents: done())


def no_intent_of_straight_copies(patch: Patch) -> None:
    """Nothing is on disk before a block of straight copies."""

    async def careless(_crew: Crew, _entries: list[ManifestEntry]) -> None:
        return

    patch.setattr(Crew, "_intend", careless)


def straight_without_a_fresh_look(patch: Patch) -> None:
    """What the plan saw of a block is not looked at again before."""
    patch.setattr(crew, "is_as_planned", lambda _entry, _source, _destination: True)


def straight_without_a_look_back(patch: Patch) -> None:
    """What became of a block is not looked at after."""
    patch.setattr(crew, "is_settled", lambda *_said: True)


def no_look_back(patch: Patch) -> None:
    """What became of a copy is not looked at after."""

    def content(entry: ManifestEntry, view: View, _made: object) -> Step:
        return decide.as_it_stands(entry, view, "")

    patch.setattr(decide, "_after_write", content)


def markers_may_be_covered(patch: Patch) -> None:
    """A deleted object is brought back over its delete marker."""
    patch.setattr(decide, "_may_cover", lambda _entry, _view, _current: True)


def whatever_is_there_may_be_replaced(patch: Patch) -> None:
    """A stranger's object may be replaced."""
    patch.setattr(decide, "_may_replace", lambda _entry, _view, _current: True)


def parts_without_tags(patch: Patch) -> None:
    """A copy in parts loses the object tags."""

    def without(*said: object) -> CreateMultipartUploadRequest:
        return replace(create_upload_request(*said), tags=())  # type: ignore[arg-type] # as it came

    patch.setattr(upload_reads, "create_upload_request", without)


def whatever_is_open_is_gone_on_with(patch: Patch) -> None:
    """An open upload is completed though its source has changed."""
    patch.setattr(UploadPlan, "digest", lambda _plan: "the same")


def an_empty_200_is_a_success(patch: Patch) -> None:
    """A copy counts as made though the answer has no CopyObjectResult."""
    whole = RetryingStore.copy_object

    async def trusting(store: RetryingStore, request: CopyObjectRequest) -> WriteResult:
        try:
            return await whole(store, request)
        except StoreFault as fault:
            if fault.code != "NoETag":
                raise
            return WriteResult(etag=request.source.etag, version_id=VersionId("of-a-header"))

    patch.setattr(RetryingStore, "copy_object", trusting)


def no_expected_owner(patch: Patch) -> None:
    """A write does not name the account that owns the destination bucket."""
    for name in ("copy_parameters", "hide_parameters"):
        _without(patch, name, "ExpectedBucketOwner")


def no_expected_source_owner(patch: Patch) -> None:
    """A copy does not name the account that owns the source bucket."""
    _without(patch, "copy_parameters", "ExpectedSourceBucketOwner")


def a_version_is_deleted(patch: Patch) -> None:
    """What is in the way is removed for good: DeleteObject names its version."""
    whole = requests.hide_parameters

    def removing(request: HideRequest) -> Parameters:
        return {**whole(request), "VersionId": "null"}

    patch.setattr(requests, "hide_parameters", removing)


def verify_trusts_a_404(patch: Patch) -> None:
    """A key that answers 404 is missing for verify, also where a delete marker is the reason."""
    whole = judge._current_object

    def trusting(row: PlannedRow, view: KeyView, *, is_deep: bool) -> Decision:
        if isinstance(view.destination_chain.current, DeleteMarker):
            return missing(row)
        return whole(row, view, is_deep=is_deep)

    patch.setattr(judge, "_current_object", trusting)


def verify_takes_any_version(patch: Patch) -> None:
    """A copy is equal for verify though something else is current above it."""
    whole = judge._current_object

    def careless(row: PlannedRow, view: KeyView, *, is_deep: bool) -> Decision:
        delivery = view.at_destination(row)
        if delivery is not None:
            return delivered(row, delivery, is_deep=is_deep)
        return whole(row, view, is_deep=is_deep)

    patch.setattr(judge, "_current_object", careless)


def verify_compares_no_attributes(patch: Patch) -> None:
    """Equal bytes are enough for verify: metadata, headers and tags are equal, too."""
    patch.setattr(looks, "differing_fields", lambda *_said, **_more: ())
    patch.setattr(plain, "_is_faithful", lambda *_said: True)


MUTANTS = (
    Mutant(an_empty_200_is_a_success, Promise.P4),
    Mutant(no_expected_owner, Promise.GUARDED),
    Mutant(no_expected_source_owner, Promise.GUARDED),
    Mutant(a_version_is_deleted, Promise.GUARDED),
    Mutant(verify_trusts_a_404, Promise.P4),
    Mutant(verify_takes_any_version, Promise.P4),
    Mutant(verify_compares_no_attributes, Promise.P4),
    Mutant(no_if_none_match, Promise.P1),
    Mutant(no_if_match, Promise.P1),
    Mutant(unconditional_hiding, Promise.P1),
    Mutant(no_pinned_source, Promise.P4),
    Mutant(a_lost_answer_is_a_failure, Promise.P1),
    Mutant(a_refused_copy_is_never_ours, Promise.P1),
    Mutant(a_412_is_sent_again, Promise.P4),
    Mutant(counted_before_durable, Promise.P2),
    Mutant(no_intent, Promise.P1),
    Mutant(no_intent_of_straight_copies, Promise.P1),
    Mutant(straight_without_a_fresh_look, Promise.P1),
    Mutant(straight_without_a_look_back, Promise.P1),
    Mutant(no_look_back, Promise.P1),
    Mutant(markers_may_be_covered, Promise.P1),
    Mutant(whatever_is_there_may_be_replaced, Promise.P1),
    Mutant(parts_without_tags, Promise.P4),
    Mutant(whatever_is_open_is_gone_on_with, Promise.P4),
)


def broken(seed: int) -> list[Violation]:
    """Return what a seed breaks."""
    return violations(simulate(seed))


COPIES = Kind("copies", broken, MUTANTS)
