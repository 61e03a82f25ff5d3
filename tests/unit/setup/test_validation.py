"""Each fault of a spec has its place and its words, and a sound spec has none."""

from dataclasses import replace

import pytest

from backfill.setup.spec import (
    BatchSpec,
    DestinationSpec,
    Ground,
    NotificationSpec,
    Owner,
    ReplicationEvent,
    RoleSpec,
    RuleSpec,
    SourceSpec,
    Spec,
)
from backfill.setup.validation import faults_of, faults_on
from tests.doubles.setup_specs import (
    DESTINATION,
    DESTINATION_KEY,
    QUEUE,
    ROLE,
    SOURCE,
    SOURCE_KEY,
    ground,
    plain,
    spec,
)

SOUND = spec(plain())
RULE = SOUND.rules[0]
NEAR, FAR = SOUND.source, SOUND.destinations[0]
FAILED = NotificationSpec(name="n", events=(ReplicationEvent.FAILED,), arn=QUEUE)
JOBS = RoleSpec(name="jobs")
BATCH = BatchSpec(bucket="reports", role=JOBS)


def source(**more: object) -> Spec:
    return replace(SOUND, source=replace(NEAR, **more))  # type: ignore[arg-type]  # as named


def destination(**more: object) -> Spec:
    return replace(SOUND, destinations=(replace(FAR, **more),))  # type: ignore[arg-type]  # as named


def rules(*changes: dict[str, object]) -> Spec:
    made = tuple(replace(RULE, **each) for each in changes)  # type: ignore[arg-type]  # as named
    return replace(SOUND, rules=made)


def told(*changes: NotificationSpec, **rule: object) -> Spec:
    return replace(rules(rule), notifications=changes)


def batch(**more: object) -> Spec:
    return replace(SOUND, batch=replace(BATCH, **more))  # type: ignore[arg-type]  # as named


def role(**more: str) -> Spec:
    return replace(SOUND, role=replace(SOUND.role, **more))  # type: ignore[arg-type]  # as named


KMS = replace(
    source(kms_key_arns=(SOURCE_KEY,)), rules=(replace(RULE, kms_key_arn=DESTINATION_KEY),)
)
OTHER = replace(FAR, bucket="other-bucket")
TAGGED = {"tags": (("k", "v"),), "replicates_delete_markers": True}

FAULTS: dict[str, tuple[Spec, list[tuple[str, str]]]] = {
    "nothing": (SOUND, []),
    "keys on both sides": (KMS, []),
    "an old bucket at the source": (source(bucket="Old_Name"), []),
    "an old bucket for reports": (batch(bucket="Old_Name"), []),
    "a made role of jobs": (batch(), []),
    "a name": (replace(SOUND, name="a" * 33), [("name", f"{'a' * 33!r} is no name for a set-up")]),
    "a name that ends in a dash": (
        replace(SOUND, name="a-"),
        [("name", "'a-' is no name for a set-up")],
    ),
    "names of rules": (
        rules({"name": "a b"}, {"name": "", "priority": 2}),
        [
            ("[rule 1] name", "'a b' is no name"),
            ("[rule 2] name", "is missing"),
            (
                "[rule] priority",
                "rule 'a b' says none, and others have the same destination",
            ),
        ],
    ),
    "a rule's name twice": (
        rules({"priority": 1}, {"priority": 2}),
        [("[rule] name", "'all' stands 2 times")],
    ),
    "a notification's name twice": (
        told(
            FAILED, replace(FAILED, events=(ReplicationEvent.NOT_TRACKED,)), has_time_control=True
        ),
        [("[notification] name", "'n' stands 2 times")],
    ),
    "a notification's name": (
        told(replace(FAILED, name="ü")),
        [("[notification 1] name", "'ü' is no name")],
    ),
    "no source": (
        replace(SOUND, source=SourceSpec(bucket="")),
        [("[source] bucket", "is missing")],
    ),
    "a source by its ARN": (
        source(bucket="arn:aws:s3:::b"),
        [("[source] bucket", "'arn:aws:s3:::b' is no bucket name")],
    ),
    "a source's place": (
        source(account="1", region="eu"),
        [("[source] account", "'1' is no account ID"), ("[source] region", "'eu' is no Region")],
    ),
    "a source's key": (
        source(kms_key_arns=("alias/x",)),
        [("[source] kms-key-arns", "'alias/x' is no key ARN")],
    ),
    "no destination": (
        replace(SOUND, destinations=()),
        [
            ("[destination]", "is missing"),
            ("[rule 1] destination", "'photos-replica' is no destination"),
        ],
    ),
    "an old name for a destination": (
        replace(destination(bucket="Old_Name"), rules=(replace(RULE, destination="Old_Name"),)),
        [("[destination 1] bucket", "'Old_Name' is no bucket name")],
    ),
    "a destination's place": (
        destination(account="x", region="Eu-west-1"),
        [
            ("[destination 1] account", "'x' is no account ID"),
            ("[destination 1] region", "'Eu-west-1' is no Region"),
        ],
    ),
    "a destination twice": (
        replace(SOUND, destinations=(FAR, FAR)),
        [("[destination] bucket", "'photos-replica' stands 2 times")],
    ),
    "a destination without a rule": (
        replace(SOUND, destinations=(FAR, OTHER)),
        [("[destination 2]", "no rule has the destination 'other-bucket'")],
    ),
    "no destination of a rule": (
        replace(rules({"destination": ""}), destinations=(replace(FAR, bucket=""),)),
        [
            ("[destination 1] bucket", "is missing"),
        ],
    ),
    "the source itself": (
        replace(destination(bucket="photos"), rules=(replace(RULE, destination="photos"),)),
        [("[destination 1] bucket", "is the source bucket")],
    ),
    "a Bucket Key without a key": (
        destination(has_bucket_keys=True),
        [("[destination 1] bucket-keys", "needs one replica key")],
    ),
    "a Bucket Key of two keys": (
        replace(
            KMS,
            destinations=(replace(FAR, has_bucket_keys=True),),
            rules=tuple(
                replace(RULE, name=f"r{n}", priority=n, kms_key_arn=f"{DESTINATION_KEY}{n}")
                for n in range(2)
            ),
        ),
        [("[destination 1] bucket-keys", "the rules name several replica keys")],
    ),
    "a Bucket Key": (replace(KMS, destinations=(replace(FAR, has_bucket_keys=True),)), []),
    "no policy across accounts": (
        destination(has_policy=False),
        [("[destination 1] bucket-policy", "is false, and the bucket is another account's")],
    ),
    "no policy within the account": (destination(has_policy=False, account=SOURCE), []),
    "no policy, and nobody knows whose": (destination(has_policy=False, account=""), []),
    "events that need time control": (
        told(replace(FAILED, events=(ReplicationEvent.MISSED_THRESHOLD,))),
        [
            (
                "[notification 1] events",
                "'missed-threshold', and no rule has time control",
            )
        ],
    ),
    "events of rules without metrics": (
        told(FAILED, has_metrics=False),
        [("[notification 1] events", "'failed', and no rule has metrics")],
    ),
    "events of rules with time control alone": (
        told(FAILED, has_metrics=False, has_time_control=True),
        [],
    ),
    "no events": (
        told(replace(FAILED, events=())),
        [("[notification 1] events", "is missing")],
    ),
    "an event twice": (
        told(FAILED, replace(FAILED, name="m")),
        [
            ("[notification 1] events", "'failed' stands in 2 places"),
            ("[notification 2] events", "'failed' stands in 2 places"),
        ],
    ),
    "a queue beside an ARN": (
        told(replace(FAILED, queue="q")),
        [("[notification 1] queue", "beside arn")],
    ),
    "FIFO": (
        told(replace(FAILED, arn=f"{QUEUE}.fifo")),
        [("[notification 1] arn", "is FIFO")],
    ),
    "a FIFO queue to make": (
        told(replace(FAILED, arn="", queue="q.fifo")),
        [("[notification 1] queue", "is FIFO")],
    ),
    "a queue's name": (
        told(replace(FAILED, arn="", queue="q q")),
        [("[notification 1] queue", "'q q' is no name of a queue")],
    ),
    "no ARN": (told(replace(FAILED, arn="")), [("[notification 1] arn", "is missing")]),
    "another ARN": (
        told(replace(FAILED, arn=ROLE)),
        [("[notification 1] arn", f"'{ROLE}' is no queue, topic or function")],
    ),
    "a report bucket": (batch(bucket=""), [("[batch] bucket", "is missing")]),
    "a report bucket there": (
        batch(has_checksums=True, destination_bucket="x", destination_role=JOBS),
        [("[batch] destination bucket", "'x' is no bucket name")],
    ),
    "checksums of one side": (
        batch(has_checksums=True),
        [("[batch] checksums", "without a bucket for the destination's jobs")],
    ),
    "a bucket for no jobs": (
        batch(destination_bucket="other"),
        [("[batch] destination-bucket", "without checksums")],
    ),
    "checksums of several destinations": (
        replace(
            batch(has_checksums=True, destination_bucket="other"),
            destinations=(FAR, OTHER),
            rules=(RULE, replace(RULE, name="b", destination="other-bucket")),
        ),
        [("[batch] destination-bucket", "and several destinations")],
    ),
    "checksums": (batch(has_checksums=True, destination_bucket="other"), []),
    "a role's ARN": (role(arn="r"), [("[role] arn", "'r' is no role ARN")]),
    "an existing role": (role(arn=ROLE, name="a b", path="x"), []),
    "a role's name": (role(name="-r"), [("[role] name", "'-r' is no role name")]),
    "a role's long name": (role(name="r" * 65), [("[role] name", f"{'r' * 65!r} is no role name")]),
    "a role's path": (role(path="/x"), [("[role] path", "'/x' is no path for a role")]),
    "AWS's path": (
        role(path="/aws-service-role/x/"),
        [("[role] path", "'/aws-service-role/x/' is no path for a role")],
    ),
    "the reverse role": (
        replace(SOUND, reverse_role=RoleSpec(name="")),
        [("[reverse-role] name", "'' is no role name")],
    ),
    "the role of jobs": (
        batch(role=RoleSpec(name="a b")),
        [("[batch-role] name", "'a b' is no role name")],
    ),
    "the role of jobs there": (
        batch(
            has_checksums=True, destination_bucket="other", destination_role=RoleSpec(name="a b")
        ),
        [("[batch-destination-role] name", "'a b' is no role name")],
    ),
    "a rule's destination": (
        rules({"destination": "x"}),
        [
            ("[destination 1]", "no rule has the destination 'photos-replica'"),
            ("[rule 1] destination", "'x' is no destination"),
        ],
    ),
    "a priority": (rules({"priority": -1}), [("[rule 1] priority", "-1 is out of range")]),
    "a priority twice": (
        rules({"name": "a", "priority": 3}, {"name": "b", "priority": 3}),
        [("[rule] priority", "3 stands 2 times")],
    ),
    "delete markers with tags": (rules(TAGGED), [("[rule 1] delete-markers", "with tags")]),
    "a tag": (rules({"tags": (("", "v"),)}), [("[rule 1] tags", "'' is no tag of an object")]),
    "a long key of a tag": (
        rules({"tags": (("k" * 129, "v"),)}),
        [("[rule 1] tags", f"'{'k' * 129}' is no tag of an object")],
    ),
    "a long value of a tag": (
        rules({"tags": (("k", "v" * 257),)}),
        [("[rule 1] tags", "'k' is no tag of an object")],
    ),
    "a tag of AWS": (
        rules({"tags": (("Aws:x", "v"),)}),
        [("[rule 1] tags", "'Aws:x' is AWS's own")],
    ),
    "a mark in a tag": (
        rules({"tags": (("k", "a;"),)}),
        [("[rule 1] tags", "'k' with 'a;' is no tag of an object")],
    ),
    "a line's end": (
        rules({"prefix": "a\n"}),
        [("[rule 1] prefix", "holds a character that S3's XML cannot carry")],
    ),
    "readers without a key": (
        rules({"kms_readers": (ROLE,)}),
        [("[rule 1] kms-readers", "without a replica key")],
    ),
    "a key without one to read with": (
        rules({"kms_key_arn": DESTINATION_KEY}),
        [("[rule 1] kms-key-arn", "and no key of the source to decrypt with")],
    ),
    "a rule's key": (
        replace(KMS, rules=(replace(RULE, kms_key_arn="x"),)),
        [("[rule 1] kms-key-arn", "'x' is no key ARN")],
    ),
    "readers": (
        replace(KMS, rules=(replace(KMS.rules[0], kms_readers=(ROLE, "arn:aws:iam::1:root")),)),
        [("[rule 1] kms-readers", "'arn:aws:iam::1:root' is no principal")],
    ),
    "one key to go back under": (
        replace(KMS, rules=(replace(KMS.rules[0], syncs_replica_modifications=True),)),
        [],
    ),
    "a long prefix": (
        rules({"prefix": "ü" * 513}),
        [("[rule 1] prefix", "is longer than a key can be")],
    ),
    "eleven tags": (
        rules({"tags": tuple((f"k{n}", "") for n in range(11))}),
        [("[rule 1] tags", "11 tags")],
    ),
    "several keys to go back under": (
        replace(
            KMS,
            source=replace(NEAR, kms_key_arns=(SOURCE_KEY, f"{SOURCE_KEY}2")),
            rules=(replace(KMS.rules[0], syncs_replica_modifications=True),),
        ),
        [("[rule 1] replica-modifications", "and several keys of the source")],
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_at_its_place_in_its_words_and_nothing_else_is(case: str) -> None:
    """If this fails, a person mends another field than the one that is wrong, or a sound one."""
    found, faults = FAULTS[case]
    told = list(faults_of(found))
    assert [(fault.place, fault.message) for fault in told] == faults
    assert all(fault.hint for fault in told)


def on(found: Spec, at: Ground | None = None) -> list[str]:
    return [fault.place for fault in faults_on(found, at or ground(SOUND))]


def elsewhere(arn: str) -> str:
    return arn.replace("eu-west-1", "us-east-2").replace("us-west-2", "us-east-2")


def test_what_is_in_the_wrong_account_or_region_is_told_once_that_is_known() -> None:
    """If this fails, S3 refuses it half way through, or replication fails object by object."""
    theirs = ROLE.replace(SOURCE, DESTINATION)
    assert on(SOUND) == on(KMS) == on(role(arn=ROLE)) == []
    assert on(role(arn=theirs)) == ["[role] arn"]
    assert on(replace(SOUND, reverse_role=RoleSpec(arn=theirs))) == []
    assert on(replace(SOUND, reverse_role=RoleSpec(arn=ROLE))) == ["[reverse-role] arn"]
    assert on(batch(role=RoleSpec(arn=theirs))) == ["[batch-role] arn"]
    assert on(batch(destination_role=RoleSpec(arn=theirs))) == []
    assert on(batch(destination_role=RoleSpec(arn=ROLE))) == ["[batch-destination-role] arn"]
    assert on(source(kms_key_arns=(elsewhere(SOURCE_KEY),))) == ["[source] kms-key-arns"]
    moved = replace(KMS, rules=(RULE, replace(RULE, kms_key_arn=elsewhere(DESTINATION_KEY))))
    assert on(moved) == ["[rule 2] kms-key-arn"]
    assert on(told(FAILED, replace(FAILED, arn=elsewhere(QUEUE)))) == ["[notification 2] arn"]
    assert on(told(replace(FAILED, arn="", queue="made"))) == []
    assert on(destination(has_policy=False)) == ["[destination 1] bucket-policy"]
    near = replace(
        ground(SOUND),
        destinations=(replace(ground(SOUND).destinations[0], expected_owner=SOURCE),),
    )
    assert on(destination(has_policy=False), near) == []
    assert on(destination(has_policy=True)) == on(destination(has_policy=None)) == []


def test_defaults_of_a_spec_are_those_of_its_reference() -> None:
    """If this fails, what a spec leaves out is set up otherwise than the reference says."""
    assert RuleSpec(name="r", destination="d") == RuleSpec(
        name="r",
        destination="d",
        is_enabled=True,
        owner=Owner.DESTINATION,
        has_metrics=True,
        replicates_delete_markers=False,
    )
    assert DestinationSpec(bucket="b").has_policy is None
