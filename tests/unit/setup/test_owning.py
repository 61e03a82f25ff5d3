"""Two set-ups of one name, a lost record, and what is gone: nobody's replication is stopped."""

import json
from dataclasses import replace
from typing import Any

import pytest

from backfill.errors import RefusedError
from backfill.model.accounts import BucketDocument
from backfill.setup.record import DOCUMENT
from backfill.setup.run import apply, destroy, planned, recorded
from backfill.setup.wanted import Action, Difference
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.unit.setup.acting import (
    DESTINATION,
    DESTINATION_KEY,
    DOCUMENT_OF_SPEC,
    QUEUE,
    SOURCE,
    Scene,
    scene_of,
    wanted,
)

OTHER_DESTINATION = {"bucket": "elsewhere", "account": DESTINATION, "region": "eu-west-1"}
OTHER_RULE = {**DOCUMENT_OF_SPEC["rule"][0], "name": "other"}
OTHER_NOTIFICATION = {**DOCUMENT_OF_SPEC["notification"][0], "name": "other"}
TOPIC = f"arn:aws:sns:us-east-1:{SOURCE}:events"


async def applied(**changes: object) -> Scene:
    scene = scene_of()
    scene.world.add_bucket("elsewhere", DESTINATION, "eu-west-1", versioning="")
    scene.world.event_destinations[TOPIC] = None
    await apply(wanted(**changes), scene.hands())
    return scene


def beside(scene: Scene) -> Scene:
    """The same accounts, from a machine that has no record."""
    return replace(scene, records=MemoryArtifacts())


def refused(difference: Difference) -> set[str]:
    return {
        change.identifier
        for document in difference.documents
        for change in document.changes
        if change.action is Action.REFUSE
    }


@pytest.mark.parametrize(
    ("changes", "identifier"),
    [
        ({"destination": [OTHER_DESTINATION], "rule": [OTHER_RULE]}, "backfill.photos.all"),
        ({"destination": [OTHER_DESTINATION], "rule": [OTHER_RULE]}, "backfill.photos.replicate"),
        ({"rule": [OTHER_RULE]}, "backfill.photos.all"),
        ({"notification": [OTHER_NOTIFICATION]}, "backfill.photos.failures"),
        ({"role": {"arn": f"arn:aws:iam::{SOURCE}:role/theirs"}}, ""),
    ],
)
async def test_a_second_set_up_of_a_name_takes_nothing_from_the_first(
    changes: dict[str, object], identifier: str
) -> None:
    """If this fails, whoever sets up a second copy of a bucket stops somebody's first one."""
    scene = await applied()
    scene.world.add_role(f"arn:aws:iam::{SOURCE}:role/theirs", {"Statement": []})
    picture = scene.world.picture()
    second = beside(scene)
    plan = wanted(**changes)
    record = recorded(second.records, "photos")
    shown = await planned(plan, second.hands().views, record=record)
    assert identifier in refused(shown)
    with pytest.raises(RefusedError, match="another set-up of this name, not recorded here"):
        await apply(plan, second.hands())
    assert scene.world.picture() == picture
    assert not second.records.documents, "nothing of the first one is taken over either"
    await destroy(second.hands(), name="photos")
    assert scene.world.picture() == picture


async def test_what_the_record_holds_is_replaced_and_dropped() -> None:
    """If this fails, a changed spec cannot be carried out by whoever carried out the first."""
    scene = await applied()
    changed = wanted(notification=[], rule=[{**OTHER_RULE, "prefix": "x/"}])
    await apply(changed, scene.hands())
    rules: Any = scene.world.buckets["photos"].documents[BucketDocument.REPLICATION]["Rules"]
    assert [rule["ID"] for rule in rules] == ["backfill.photos.other"]
    policies = [role.inline for role in scene.world.roles.values()]
    assert "backfill.photos.replicate" in {name for each in policies for name in each}


async def test_a_lost_record_is_had_again_by_the_same_apply() -> None:
    """If this fails, whoever lost a directory can neither change nor take away what it made."""
    scene = await applied()
    found = beside(scene)
    plan = wanted()
    shown = await planned(plan, found.hands().views, record=recorded(found.records, "photos"))
    reasons = [change.reason for document in shown.documents for change in document.changes]
    assert any("apply takes it over, and destroy takes it away" in reason for reason in reasons)
    written = list(scene.written)
    done = await apply(plan, found.hands())
    assert not done.is_change
    assert scene.written == written
    await apply(wanted(notification=[]), found.hands())
    await destroy(found.hands(), name="photos")
    await destroy(scene.hands(), name="photos")
    assert not scene.world.roles
    assert BucketDocument.REPLICATION not in scene.world.buckets["photos"].documents
    assert BucketDocument.POLICY not in scene.world.buckets["archive"].documents
    bare = scene_of().world.key_policies
    assert {arn: json.loads(text) for arn, text in scene.world.key_policies.items()} == {
        arn: json.loads(text) for arn, text in bare.items()
    }


async def test_what_somebody_changed_is_not_taken_over() -> None:
    """If this fails, a lost record makes somebody's own words ours to take away."""
    scene = await applied()
    policy: Any = scene.world.buckets["archive"].documents[BucketDocument.POLICY]
    policy["Statement"][0]["Action"] = "s3:ReplicateObject"
    found = beside(scene)
    with pytest.raises(RefusedError, match="not recorded here"):
        await apply(wanted(), found.hands())
    assert DOCUMENT not in found.records.documents


async def test_a_statement_of_ours_that_names_a_deleted_role_is_mended_without_a_record() -> None:
    """If this fails, a lost record and a lost role together leave no way back."""
    scene = await applied()
    policy: Any = scene.world.buckets["archive"].documents[BucketDocument.POLICY]
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            statement["Principal"] = {"AWS": "AROAEXAMPLEEXAMPLE"}
    await apply(wanted(), beside(scene).hands())
    assert "AROAEXAMPLEEXAMPLE" not in json.dumps(
        scene.world.buckets["archive"].documents[BucketDocument.POLICY]
    )


@pytest.mark.parametrize("gone", ["bucket", "key", "queue"])
async def test_destroy_forgets_what_is_gone_and_takes_away_the_rest(gone: str) -> None:
    """If this fails, a bucket that somebody deleted makes destroy refuse for ever."""
    scene = await applied()
    match gone:
        case "bucket":
            del scene.world.buckets["archive"]
        case "key":
            del scene.world.keys[DESTINATION_KEY]
        case _:
            del scene.world.event_destinations[QUEUE]
    done = await destroy(scene.hands(), name="photos")
    notes = [note for document in done.documents for note in document.notes]
    assert any("it is gone" in note for note in notes)
    assert not scene.world.roles
    left = {part.resource.arn for part in recorded(scene.records, "photos").parts}
    assert not [arn for arn in left if gone == "bucket" and arn.endswith("archive")]
    assert {DESTINATION_KEY, QUEUE}.isdisjoint(left)


async def test_a_role_of_ours_that_was_made_anew_elsewhere_is_gone_and_not_touched() -> None:
    """If this fails, destroy is stuck, or takes our policies out of somebody else's role."""
    scene = await applied()
    ours = next(arn for arn in scene.world.roles if arn.endswith("-replication"))
    del scene.world.roles[ours]
    theirs = ours.replace("/service-role/", "/")
    scene.world.add_role(theirs, {"Statement": []}, **{"backfill.photos.replicate": {"a": 1}})
    await destroy(scene.hands(), name="photos")
    assert set(scene.world.roles) == {theirs}
    assert scene.world.roles[theirs].inline
    assert ours not in {part.resource.arn for part in recorded(scene.records, "photos").parts}


async def test_destroy_of_what_cannot_be_read_forgets_nothing() -> None:
    """If this fails, a denial is taken for absence, and what setup made stays unowned."""
    scene = await applied()
    scene.destination.fail("GetBucketPolicy")
    record = scene.record
    with pytest.raises(RefusedError, match="AccessDenied"):
        await destroy(scene.hands(), name="photos")
    assert scene.record == record


async def test_a_topic_whose_last_statement_is_ours_keeps_it_and_the_rest_goes() -> None:
    """If this fails, destroy ends in an assertion on every try, and a role stays for ever."""
    notification = {"name": "failures", "arn": TOPIC, "events": ["failed"]}
    scene = await applied(notification=[notification])
    await destroy(scene.hands(), name="photos")
    assert not scene.world.roles
    statements = json.loads(scene.world.event_destinations[TOPIC] or "{}")["Statement"]
    assert len(statements) == 1
