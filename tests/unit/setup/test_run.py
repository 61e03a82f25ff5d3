"""What acts: order, interruption, races, waits, and destroy that takes away what apply made."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from backfill.errors import (
    ArtifactDamagedError,
    Disposition,
    RaceLostError,
    RefusedError,
    StoreFault,
)
from backfill.events.replication import SetupDocumentWritten, SetupWaits
from backfill.model.accounts import BucketDocument
from backfill.setup.difference import differences, removals
from backfill.setup.record import DOCUMENT
from backfill.setup.run import apply, destroy, planned, read, recorded, removable
from backfill.setup.wanted import Action, ResourceKind
from tests.doubles.accounts import MemoryAccount
from tests.unit.setup.acting import MADE_QUEUE, QUEUE, SOURCE, Scene, scene_of, wanted

STEPS = {"before_write": 1, "after_write": 1, "after_read": 7}
"""Every write is cut short; reads change nothing, so that some of them will do."""


class KilledError(BaseException):
    """The process is gone, at this very call."""


async def applied(*, has_others: bool = False) -> Scene:
    scene = scene_of(has_others=has_others)
    await apply(wanted(), scene.hands())
    return scene


async def test_a_plan_reads_and_writes_nothing() -> None:
    """If this fails, looking at what would happen makes some of it happen."""
    scene = scene_of()
    before = scene.world.picture()
    difference = await planned(wanted(), scene.hands().views)
    assert difference.is_change
    assert not difference.is_refused
    assert scene.world.picture() == before
    assert not scene.written


async def test_apply_from_empty_accounts_leaves_nothing_to_do() -> None:
    """If this fails, a set-up is never finished, or is said to be when it is not."""
    scene = await applied()
    assert not (await planned(wanted(), scene.hands().views)).is_change
    rules: Any = scene.world.buckets["photos"].documents[BucketDocument.REPLICATION]["Rules"]
    assert [rule["Status"] for rule in rules] == ["Enabled"]
    assert scene.world.buckets["photos-jobs"].account_id == SOURCE


async def test_apply_writes_in_the_safe_order() -> None:
    """If this fails, S3 refuses a rule between buckets that are not versioned yet."""
    scene = scene_of()
    done = await apply(wanted(), scene.hands())
    kinds = [document.resource.kind for document in done.documents]
    assert kinds == sorted(kinds, key=lambda kind: kind.order)
    order = [
        event.document for event in scene.told.emitted if isinstance(event, SetupDocumentWritten)
    ]
    assert order == [document.resource.title for document in done.documents if document.is_change]


async def test_a_queue_is_made_to_wait_in_and_stays_when_the_rest_goes() -> None:
    """If this fails, events have no queue, or are lost with it, or an owner's queue is changed."""
    scene = await applied()
    assert scene.world.queues[MADE_QUEUE] == (1_209_600, {"backfill:setup": "photos"})
    assert "s3.amazonaws.com" in (scene.world.event_destinations[MADE_QUEUE] or "")
    done = await destroy(scene.hands(), name="photos")
    (queue,) = [each for each in done.documents if each.resource.kind is ResourceKind.QUEUE]
    assert [change.action for change in queue.changes] == [Action.LEAVE]
    assert scene.world.event_destinations[MADE_QUEUE] is None
    scene.world.queues.clear()  # Now it is one that somebody made.
    written = len(scene.written)
    await apply(wanted(), scene.hands())
    assert not any("CreateQueue" in each for each in scene.written[written:])
    assert "s3.amazonaws.com" in (scene.world.event_destinations[MADE_QUEUE] or "")


async def test_a_queue_that_is_expected_and_not_there_is_not_made() -> None:
    """If this fails, a slip in an ARN makes apply write all but the notification."""
    scene = scene_of()
    del scene.world.event_destinations[QUEUE]
    with pytest.raises(RefusedError, match="NotFound"):
        await apply(wanted(), scene.hands())
    assert not scene.written


async def test_a_second_apply_writes_nothing() -> None:
    """If this fails, each apply makes new versions of policies, and wakes everybody's alarms."""
    scene = await applied(has_others=True)
    picture, written = scene.world.picture(), list(scene.written)
    record = scene.records.documents[DOCUMENT]
    done = await apply(wanted(), scene.hands())
    assert not done.is_change
    assert (scene.world.picture(), scene.written) == (picture, written)
    assert scene.records.documents[DOCUMENT] == record


def hook(account: MemoryAccount, when: str, act: Callable[[str], None]) -> None:
    setattr(account, when, act)


async def kill_after(scene: Scene, calls: int, when: str, work: Callable[[], Any]) -> bool:
    """Carry work out and kill it at a call; return whether it came that far."""
    left = calls

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError

    for account in (scene.source, scene.destination):
        hook(account, when, count)
    is_killed = False
    try:
        await work()
    except* KilledError:
        is_killed = True
    finally:
        for account in (scene.source, scene.destination):
            hook(account, when, lambda _: None)
    return is_killed


@pytest.mark.parametrize("when", ["before_write", "after_write", "after_read"])
async def test_an_apply_cut_short_at_any_call_and_repeated_ends_as_one_that_was_not(
    when: str,
) -> None:
    """If this fails, Ctrl-C at the wrong moment leaves half of a set-up that nothing mends."""
    whole = await applied(has_others=True)
    for calls in range(0, 1000, STEPS[when]):
        scene = scene_of(has_others=True)
        is_killed = await kill_after(scene, calls, when, partial(apply, wanted(), scene.hands()))
        await apply(wanted(), scene.hands())
        assert scene.world.picture() == whole.world.picture(), calls
        assert scene.record == whole.record, calls
        if not is_killed:
            assert calls > 10
            return
    raise AssertionError("an apply without an end")


@pytest.mark.parametrize("when", ["before_write", "after_write", "after_read"])
async def test_what_an_apply_cut_short_had_made_is_taken_away_by_destroy(when: str) -> None:
    """If this fails, a write whose end nobody saw is forgotten, and stays in an account."""
    for calls in range(0, 1000, STEPS[when]):
        scene = scene_of(has_others=True)
        is_killed = await kill_after(scene, calls, when, partial(apply, wanted(), scene.hands()))
        await destroy(scene.hands(), name="photos")
        assert not scene.world.roles, calls
        assert documents_of_others(scene) == documents_of_others(scene_of(has_others=True)), calls
        if not is_killed:
            return
    raise AssertionError("an apply without an end")


def documents_of_others(scene: Scene) -> dict[str, object]:
    """All documents, but for what destroy leaves by its law."""
    stays = {
        BucketDocument.VERSIONING,
        BucketDocument.OBJECT_LOCK,
        BucketDocument.ENCRYPTION,
    }
    return {
        "buckets": {
            name: {kind: text for kind, text in bucket.documents.items() if kind not in stays}
            for name, bucket in scene.world.buckets.items()
            if bucket.name != "photos-jobs"
        },
        "keys": {arn: json.loads(text) for arn, text in scene.world.key_policies.items()},
        "events": {
            arn: text
            for arn, text in scene.world.event_destinations.items()
            if arn != MADE_QUEUE or text is not None
        },
    }


async def test_destroy_leaves_the_documents_of_others_as_they_were() -> None:
    """If this fails, taking our set-up away breaks somebody else's."""
    scene = await applied(has_others=True)
    await destroy(scene.hands(), name="photos")
    assert documents_of_others(scene) == documents_of_others(scene_of(has_others=True))
    assert not scene.world.roles
    kept = scene.world.buckets["archive"].documents
    assert kept[BucketDocument.VERSIONING] == {"Status": "Enabled"}
    assert "photos-jobs" in scene.world.buckets, "a bucket is never deleted"


async def test_destroy_cut_short_at_any_call_and_repeated_ends_as_one_that_was_not() -> None:
    """If this fails, a destroy that was interrupted leaves parts that nothing takes away."""
    made = await applied(has_others=True)
    whole = deepcopy(made)
    await destroy(whole.hands(), name="photos")
    for when in ("before_write", "after_write", "after_read"):
        for calls in range(0, 1000, STEPS[when]):
            scene = deepcopy(made)
            is_killed = await kill_after(
                scene, calls, when, partial(destroy, scene.hands(), name="photos")
            )
            await destroy(scene.hands(), name="photos")
            assert scene.world.picture() == whole.world.picture(), (when, calls)
            if not is_killed:
                break


async def test_destroy_takes_the_rule_away_before_what_it_stands_on() -> None:
    """If this fails, live replication fails for the time that destroy takes, and says FAILED."""
    scene = await applied()
    scene.source.written.clear()
    await destroy(scene.hands(), name="photos")
    assert [line.partition(" ")[0] for line in scene.source.written] == [
        "PutBucketNotificationConfiguration",
        "DeleteBucketReplication",
        *["SetQueueAttributes"] * 2,
        "PutKeyPolicy",
        *["DeleteRolePolicy"] * 2,
        *["DeleteRole"] * 2,
    ]


async def test_destroy_without_a_record_takes_nothing_away() -> None:
    """If this fails, a directory that was lost makes destroy guess what is ours."""
    scene = await applied()
    scene.records.documents.clear()
    picture = scene.world.picture()
    done = await destroy(scene.hands(), name="photos")
    assert not done.documents
    assert scene.world.picture() == picture


async def test_destroy_leaves_what_somebody_changed_and_says_so() -> None:
    """If this fails, somebody's mend of our statement is thrown away."""
    scene = await applied()
    policy: Any = scene.world.buckets["archive"].documents[BucketDocument.POLICY]
    changed = next(each for each in policy["Statement"] if each["Effect"] == "Allow")
    changed["Action"] = "s3:ReplicateObject"
    done = await destroy(scene.hands(), name="photos")
    left = [
        change
        for document in done.documents
        for change in document.changes
        if change.action is Action.LEAVE and change.identifier == changed["Sid"]
    ]
    assert left
    assert "changed" in left[0].reason
    rest: Any = scene.world.buckets["archive"].documents[BucketDocument.POLICY]
    assert rest["Statement"] == [changed]
    assert recorded(scene.records, "photos").parts, "it is remembered, for a later destroy"


async def test_a_role_that_is_not_seen_yet_is_waited_for() -> None:
    """If this fails, the first apply always ends with MalformedPolicy, and the second works."""
    scene = scene_of()
    plan = wanted()
    roles = [each.arn for each in plan.resources if each.kind is ResourceKind.ROLE_TRUST]
    scene.world.unsettled = dict.fromkeys(roles, 4)
    await apply(plan, scene.hands())
    waits = [event for event in scene.told.emitted if isinstance(event, SetupWaits)]
    assert any("MalformedPolicy" in event.why for event in waits)
    assert scene.clock.slept_s > 0


async def test_a_role_that_is_never_seen_ends_the_wait() -> None:
    """If this fails, a slip in a spec waits for ever."""
    scene = scene_of()
    plan = wanted()
    roles = [each.arn for each in plan.resources if each.kind is ResourceKind.ROLE_TRUST]
    scene.world.unsettled = dict.fromkeys(roles, 10**6)
    with pytest.raises(RefusedError, match="principal"):
        await apply(plan, scene.hands())
    assert 100 < scene.clock.slept_s < 400


async def test_a_refusal_that_cannot_pass_is_not_waited_for() -> None:
    """If this fails, each denial takes three minutes to be told."""
    scene = scene_of()
    scene.source.fail("CreateRole")
    with pytest.raises(StoreFault, match="AccessDenied"):
        await apply(wanted(), scene.hands())
    assert scene.clock.slept_s == 0


async def test_a_write_whose_end_nobody_knows_is_settled_by_reading() -> None:
    """If this fails, a connection that broke after CreateRole ends in EntityAlreadyExists."""
    scene = scene_of()
    ends = 0

    def lose(operation: str) -> None:
        nonlocal ends
        if ends < 3 and operation in {"CreateRole", "PutBucketPolicy", "PutBucketReplication"}:
            ends += 1
            raise StoreFault(
                operation=operation,
                code="ConnectionClosedError",
                status=0,
                disposition=Disposition.SETTLE,
                is_ambiguous=True,
            )

    hook(scene.source, "after_write", lose)
    hook(scene.destination, "after_write", lose)
    await apply(wanted(), scene.hands())
    assert ends == 3
    whole = await applied()
    assert scene.world.picture() == whole.world.picture()
    assert scene.record == whole.record


async def test_what_others_write_between_plan_and_write_stays() -> None:
    """If this fails, a statement added while a person reads the plan is overwritten."""
    scene = scene_of()

    def meddle(operation: str) -> None:
        bucket = scene.world.buckets["archive"]
        if operation == "CreateRole" and BucketDocument.POLICY not in bucket.documents:
            statement = {"Sid": "Late", "Effect": "Deny", "Principal": "*", "Action": "s3:Get*"}
            bucket.documents[BucketDocument.POLICY] = {
                "Version": "2012-10-17",
                "Statement": [{**statement, "Resource": "arn:aws:s3:::archive/x"}],
            }

    hook(scene.source, "after_write", meddle)
    await apply(wanted(), scene.hands())
    policy: Any = scene.world.buckets["archive"].documents[BucketDocument.POLICY]
    assert policy["Statement"][0]["Sid"] == "Late"
    assert len(policy["Statement"]) > 1


async def test_a_race_lost_to_another_writer_is_told_with_both_documents() -> None:
    """If this fails, a set-up is called done whose policy somebody overwrote meanwhile."""
    scene = scene_of()
    theirs = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "T", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}],
    }

    def overtake(operation: str) -> None:
        if operation == "PutBucketPolicy":
            scene.world.buckets["archive"].documents[BucketDocument.POLICY] = dict(theirs)

    hook(scene.destination, "after_write", overtake)
    with pytest.raises(RaceLostError) as caught:
        await apply(wanted(), scene.hands())
    assert caught.value.exit_code == 10
    assert caught.value.theirs == theirs
    assert caught.value.ours is not None
    assert caught.value.ours != theirs
    assert scene.clock.slept_s < 100


async def test_a_document_that_lags_behind_its_write_is_waited_for_and_no_race() -> None:
    """If this fails, S3's eventual consistency is told as somebody's meddling."""
    scene = scene_of()
    bucket = scene.world.buckets["archive"]
    hidden: list[dict[str, object]] = []
    asked = 0

    def hide(operation: str) -> None:
        if operation == "PutBucketPolicy":
            hidden.append(bucket.documents.pop(BucketDocument.POLICY))

    def show(operation: str) -> None:
        nonlocal asked
        asked += operation == "GetBucketPolicy" and bool(hidden)
        if asked == 3 and hidden:
            bucket.documents[BucketDocument.POLICY] = hidden.pop()

    hook(scene.destination, "after_write", hide)
    hook(scene.destination, "after_read", show)
    await apply(wanted(), scene.hands())
    assert any(
        "not read yet" in event.why for event in scene.told.emitted if isinstance(event, SetupWaits)
    )


async def test_what_cannot_be_read_is_shown_and_nothing_at_all_is_written() -> None:
    """If this fails, half of a set-up is written before the denial of the other half is told."""
    scene = scene_of()
    scene.destination.fail("GetBucketPolicy")
    difference = await planned(wanted(), scene.hands().views)
    unread = [document for document in difference.documents if document.unread is not None]
    assert [(each.resource.kind, each.unread.code) for each in unread if each.unread] == [
        (ResourceKind.BUCKET_POLICY, "AccessDenied")
    ]
    with pytest.raises(RefusedError, match=r"bucket policy of arn:aws:s3:::archive.*AccessDenied"):
        await apply(wanted(), scene.hands())
    assert not scene.written


async def test_an_element_that_the_sdk_does_not_know_is_never_written_over() -> None:
    """If this fails, an option newer than this SDK is switched off by an apply."""
    scene = scene_of(has_others=True)
    bucket = scene.world.buckets["photos"]
    bucket.unmodelled[BucketDocument.NOTIFICATION] = ("TopicConfiguration/Shiny",)
    with pytest.raises(RefusedError, match="TopicConfiguration/Shiny"):
        await apply(wanted(), scene.hands())
    assert not scene.written


@pytest.mark.parametrize("first", ["source", "destination"])
async def test_each_owner_can_apply_a_part_alone(first: str) -> None:
    """If this fails, two owners who do not share credentials cannot set replication up."""
    second = "destination" if first == "source" else "source"
    scene = scene_of()
    plan = wanted()
    if first == "source":
        scene.world.buckets["archive"].documents[BucketDocument.VERSIONING] = {"Status": "Enabled"}
    else:
        # The destination's policy names the role: its owner waits until the source's has made it.
        with pytest.raises(RefusedError, match="principal") as caught:
            await apply(plan, scene.hands(only=first))
        assert "the other's may come first" in caught.value.hint
        assert scene.clock.slept_s < 30, "nothing was made that could still be seen"
        return
    done = await apply(plan, scene.hands(only=first))
    assert not scene.destination.asked
    assert {each.resource.side for each in done.documents if each.unread} == {second}
    await apply(plan, scene.hands(only=second))
    assert not (await planned(plan, scene.hands().views)).is_change


async def test_what_a_smaller_spec_no_longer_asks_for_goes_from_the_record_too() -> None:
    """If this fails, destroy reports parts that were taken away long ago."""
    scene = await applied()
    smaller = wanted(notification=[])
    await apply(smaller, scene.hands())
    assert not (await planned(smaller, scene.hands().views)).is_change


@pytest.mark.parametrize("when", ["before_write", "after_write"])
async def test_a_document_that_a_smaller_spec_drops_as_a_whole_loses_its_parts(when: str) -> None:
    """If this fails, what nobody asks for any more stays until destroy, or breaks the rest."""
    whole = await applied(has_others=True)
    smaller = wanted(notification=[])
    dropped = {each.arn for each in set(wanted().resources) - set(smaller.resources)}
    assert {QUEUE, "arn:aws:s3:::photos"} <= dropped
    shown = await planned(smaller, whole.hands().views, record=recorded(whole.records, "photos"))
    gone = {each.resource.arn for each in shown.documents if each.is_change}
    assert {QUEUE, "arn:aws:s3:::photos"} <= gone <= dropped
    await apply(smaller, whole.hands())
    photos = whole.world.buckets["photos"].documents
    theirs = scene_of(has_others=True).world.buckets["photos"].documents
    assert photos[BucketDocument.NOTIFICATION] == theirs[BucketDocument.NOTIFICATION]
    left = recorded(whole.records, "photos")
    assert {part.resource.kind for part in left.parts if part.resource.arn == QUEUE} == set()
    again = await planned(smaller, whole.hands().views, record=left)
    assert not again.is_change
    for calls in range(100):
        scene = await applied(has_others=True)
        is_killed = await kill_after(scene, calls, when, partial(apply, smaller, scene.hands()))
        await apply(smaller, scene.hands())
        assert scene.world.picture() == whole.world.picture(), calls
        if not is_killed:
            return


async def test_a_part_that_a_standing_rule_names_is_not_dropped() -> None:
    """If this fails, a smaller spec takes a destination's policy from under a rule that stays."""
    scene = await applied()
    record = recorded(scene.records, "photos")
    policy = next(each for each in record.resources if each.kind is ResourceKind.BUCKET_POLICY)
    rules = next(each for each in record.resources if each.kind is ResourceKind.REPLICATION)
    actual = await read(record.resources, scene.hands().views)
    only = record.only([policy]).wanted(actual)
    standing = [each for each in differences(wanted(), actual).documents if each.resource == rules]
    (kept,) = removals(only, actual, standing=standing).documents
    assert {change.action for change in kept.changes} == {Action.LEAVE}
    (free,) = removals(only, actual).documents
    assert Action.REMOVE in {change.action for change in free.changes}


async def test_one_side_is_taken_away_without_the_other() -> None:
    """If this fails, `destroy --only destination` leaves the destination's policy behind."""
    scene = await applied(has_others=True)
    await destroy(scene.hands(only="destination"), name="photos")
    empty = scene_of(has_others=True)
    archive = scene.world.buckets["archive"].documents
    assert (
        archive[BucketDocument.POLICY]
        == (empty.world.buckets["archive"].documents[BucketDocument.POLICY])
    )
    rules: Any = scene.world.buckets["photos"].documents[BucketDocument.REPLICATION]["Rules"]
    assert rules, "the source is its owner's to take away"
    sides = {part.resource.side for part in recorded(scene.records, "photos").parts}
    assert "source" in sides
    await destroy(scene.hands(only="source"), name="photos")
    assert documents_of_others(scene) == documents_of_others(empty)


async def test_a_record_of_another_set_up_is_refused() -> None:
    """If this fails, one set-up's destroy takes another's parts away."""
    scene = await applied()
    with pytest.raises(RefusedError, match="'photos'"):
        await destroy(scene.hands(), name="other")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": "x", "name": "photos"}'])
async def test_a_record_that_is_damaged_is_told(damage: bytes) -> None:
    """If this fails, destroy forgets what setup made, and says all is gone."""
    scene = await applied()
    scene.records.documents[DOCUMENT] = damage
    with pytest.raises(ArtifactDamagedError):
        await removable_of(scene)


async def removable_of(scene: Scene) -> object:
    return await removable(recorded(scene.records, "photos"), scene.hands().views)


async def test_a_queue_that_is_not_there_is_told_before_anything_is_written() -> None:
    """If this fails, the last step of an apply finds what its first could have told."""
    scene = scene_of()
    del scene.world.event_destinations[QUEUE]
    with pytest.raises(RefusedError, match="NotFound"):
        await apply(wanted(), scene.hands())
    assert not scene.written
