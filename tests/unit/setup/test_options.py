"""Every field of the spec sets what docs/reference/setup-spec.md says that it sets."""

from collections.abc import Callable

import pytest

from backfill.setup.desired import wanted_of
from backfill.setup.fields import FIELDS
from backfill.setup.wanted import ROLE_TAG, Fields, ResourceKind, Side, Wanted
from tests.doubles.setup_specs import (
    DESTINATION,
    DESTINATION_KEY,
    FUNCTION,
    GOLDEN,
    QUEUE,
    ROLE,
    SOURCE,
    SOURCE_KEY,
    SOURCE_REPLICA_KEY,
    TOPIC,
    Document,
    destination,
    ground,
    plain,
    source,
    spec,
)

KMS = source(**{"kms-key-arns": [SOURCE_KEY]})


def wanted(document: Document) -> Wanted:
    found = spec(document)
    return wanted_of(found, ground(found))


def rule(**more: object) -> Document:
    return plain(rule=[{"name": "all", **{name.replace("_", "-"): v for name, v in more.items()}}])


def parts(found: Wanted, kind: ResourceKind, side: Side | None = None) -> dict[str, Fields]:
    """Return the parts of the documents of a kind, by identifier; of both sides unless said."""
    return {
        part.identifier: part.content
        for part in found.parts
        if part.resource.kind is kind and side in {None, part.resource.side}
    }


def the_rule(document: Document) -> Fields:
    return parts(wanted(document), ResourceKind.REPLICATION)["backfill.photos.all"]


def in_destination(document: Document) -> Fields:
    found = the_rule(document)["Destination"]
    assert isinstance(found, dict)
    return found


def policy_actions(document: Document, name: str = "replicate") -> dict[str, object]:
    """Return the actions of the role's inline policy, by Sid."""
    policy = parts(wanted(document), ResourceKind.ROLE_POLICIES)[f"backfill.photos.{name}"]
    statements = policy["Statement"]
    assert isinstance(statements, list)
    return {statement["Sid"]: statement["Action"] for statement in statements}


def bucket_policy(document: Document) -> dict[str, Fields]:
    return parts(wanted(document), ResourceKind.BUCKET_POLICY, Side.DESTINATION)


def key_policies(document: Document) -> dict[tuple[str, str], Fields]:
    return {
        (part.resource.arn, part.identifier): part.content
        for part in wanted(document).parts
        if part.resource.kind is ResourceKind.KEY_POLICY
    }


def source_keys() -> None:
    document = plain(source=KMS, rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY}])
    assert policy_actions(document)["DecryptSource"] == "kms:Decrypt"
    statement = key_policies(document)[SOURCE_KEY, "BackfillDecryptForPhotos"]
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        "StringLike": {
            "kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]
        },
    }


def object_lock() -> None:
    document = plain(source=source(**{"object-lock": True}))
    found = wanted(document)
    lock = parts(found, ResourceKind.OBJECT_LOCK)
    assert lock == {"": {"ObjectLockEnabled": "Enabled"}}
    actions = policy_actions(document)["ReadSourceVersions"]
    assert isinstance(actions, list)
    assert {"s3:GetObjectRetention", "s3:GetObjectLegalHold"} <= set(actions)
    assert "s3:GetObjectRetention" not in str(policy_actions(plain()))


def annotations() -> None:
    word = "s3:GetObjectVersionAnnotationForReplication"
    document = plain(source=source(annotations=True))
    assert word in str(policy_actions(document)["ReadSourceVersions"])
    assert word not in str(policy_actions(plain()))


def own_bucket_policy() -> None:
    near = destination(account=SOURCE)
    policy = ResourceKind.BUCKET_POLICY
    assert parts(wanted(plain(destination=near)), policy) == {}
    assert parts(wanted(plain(destination={**near, "bucket-policy": True})), policy, Side.SOURCE)
    across = bucket_policy(plain())
    assert set(across) == {"BackfillOwnedForPhotos", "BackfillBucketForPhotos"}


def bucket_keys() -> None:
    found = parts(wanted(GOLDEN["kms-destination-key"]), ResourceKind.ENCRYPTION)[""]
    assert found["BucketKeyEnabled"] is True
    assert found["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": DESTINATION_KEY,
    }


def guard() -> None:
    statement = bucket_policy(GOLDEN["guarded"])["BackfillGuardForPhotos"]
    assert statement["Effect"] == "Deny"
    assert statement["Action"] == "s3:PutObject"
    assert statement["Condition"] == {
        "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
        "ArnNotEquals": {"aws:PrincipalArn": ROLE},
    }
    assert "BackfillGuardForPhotos" not in bucket_policy(plain())


def enabled() -> None:
    assert the_rule(plain())["Status"] == "Enabled"
    assert the_rule(rule(enabled=False))["Status"] == "Disabled"


def priority() -> None:
    assert the_rule(rule(priority=7))["Priority"] == 7
    assert "Priority" not in the_rule(plain())  # Merging chooses a free one.


def which_destination() -> None:
    found = parts(wanted(GOLDEN["several-destinations"]), ResourceKind.REPLICATION)
    near = found["backfill.photos.near"]["Destination"]
    assert near == {"Bucket": "arn:aws:s3:::photos-near", "Metrics": {"Status": "Enabled"}}


def prefix() -> None:
    assert the_rule(plain())["Filter"] == {"Prefix": ""}
    assert the_rule(rule(prefix="a/"))["Filter"] == {"Prefix": "a/"}


def tags() -> None:
    one, two = {"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}
    assert the_rule(rule(tags={"a": "1"}))["Filter"] == {"Tag": one}
    assert the_rule(rule(tags={"b": "", "a": "1"}))["Filter"] == {"And": {"Tags": [one, two]}}
    both = rule(tags={"a": "1"}, prefix="x/")
    assert the_rule(both)["Filter"] == {"And": {"Prefix": "x/", "Tags": [one]}}


def owner() -> None:
    word = "s3:ObjectOwnerOverrideToBucketOwner"
    assert in_destination(plain())["AccessControlTranslation"] == {"Owner": "Destination"}
    assert word in str(policy_actions(plain())["WriteReplicas"])
    kept = rule(owner="source")
    assert "AccessControlTranslation" not in in_destination(kept)
    assert word not in str(policy_actions(kept)) + str(bucket_policy(kept))
    near = plain(destination=destination(account=SOURCE))
    assert "AccessControlTranslation" not in in_destination(near)


def replica_key() -> None:
    document = plain(source=KMS, rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY}])
    assert the_rule(document)["SourceSelectionCriteria"] == {
        "SseKmsEncryptedObjects": {"Status": "Enabled"}
    }
    assert in_destination(document)["EncryptionConfiguration"] == {
        "ReplicaKmsKeyID": DESTINATION_KEY
    }
    actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    assert policy_actions(document)["EncryptReplicas"] == actions
    assert key_policies(document)[DESTINATION_KEY, "BackfillEncryptForPhotos"]["Action"] == actions
    assert "SourceSelectionCriteria" not in the_rule(plain())


def readers() -> None:
    statement = key_policies(GOLDEN["kms-source-key"])[
        SOURCE_REPLICA_KEY, "BackfillReadersForPhotos"
    ]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{DESTINATION}:role/reader"}
    assert statement["Action"] == "kms:Decrypt"


def storage_class() -> None:
    assert in_destination(rule(storage_class="GLACIER_IR"))["StorageClass"] == "GLACIER_IR"
    assert "StorageClass" not in in_destination(plain())


def time_control() -> None:
    found = in_destination(rule(time_control=True))
    assert found["ReplicationTime"] == {"Status": "Enabled", "Time": {"Minutes": 15}}
    assert found["Metrics"] == {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}
    without = in_destination(rule(time_control=True, metrics=False))
    assert without["Metrics"] == found["Metrics"]  # S3 takes one only with the other.


def metrics() -> None:
    assert in_destination(plain())["Metrics"] == {"Status": "Enabled"}
    assert "Metrics" not in in_destination(rule(metrics=False))


def delete_markers() -> None:
    assert the_rule(plain())["DeleteMarkerReplication"] == {"Status": "Disabled"}
    document = rule(delete_markers=True)
    assert the_rule(document)["DeleteMarkerReplication"] == {"Status": "Enabled"}
    for granted in (policy_actions(document), bucket_policy(document)):
        assert "s3:ReplicateDelete" in str(granted)
    assert "s3:ReplicateDelete" not in str(policy_actions(plain())) + str(bucket_policy(plain()))


def replica_modifications() -> None:
    document = GOLDEN["two-way"]
    found = wanted(document)
    forward = parts(found, ResourceKind.REPLICATION, Side.SOURCE)
    criteria = forward["backfill.photos.all"]["SourceSelectionCriteria"]
    assert isinstance(criteria, dict)
    assert criteria["ReplicaModifications"] == {"Status": "Enabled"}
    back = parts(found, ResourceKind.REPLICATION, Side.DESTINATION)
    role = f"arn:aws:iam::{DESTINATION}:role/service-role/backfill-photos-reverse"
    assert back[""] == {"Role": role}
    assert back["backfill.photos.reverse.all"]["Destination"] == {
        "Bucket": "arn:aws:s3:::photos",
        "Account": SOURCE,
        "AccessControlTranslation": {"Owner": "Destination"},
        "EncryptionConfiguration": {"ReplicaKmsKeyID": SOURCE_KEY},
        "Metrics": {"Status": "Enabled"},
    }
    let_in = parts(found, ResourceKind.BUCKET_POLICY, Side.SOURCE)
    assert let_in["BackfillOwnedForPhotos"]["Principal"] == {"AWS": role}
    keys = key_policies(document)
    assert keys[DESTINATION_KEY, "BackfillReverseDecryptForPhotos"]["Principal"] == {"AWS": role}
    assert keys[SOURCE_KEY, "BackfillReverseEncryptForPhotos"]["Principal"] == {"AWS": role}


def notifications() -> None:
    found = wanted(GOLDEN["time-control"])
    sides = {
        part.resource.side
        for part in found.parts
        if part.resource.kind is ResourceKind.NOTIFICATION
    }
    assert sides == {Side.SOURCE}  # Whatever articles say.
    assert parts(found, ResourceKind.NOTIFICATION) == {
        "backfill.photos.failed": {
            "Id": "backfill.photos.failed",
            "QueueArn": QUEUE,
            "Events": ["s3:Replication:OperationFailedReplication"],
        },
        "backfill.photos.late": {
            "Id": "backfill.photos.late",
            "TopicArn": TOPIC,
            "Events": [
                "s3:Replication:OperationMissedThreshold",
                "s3:Replication:OperationNotTracked",
            ],
        },
        "backfill.photos.arrived": {
            "Id": "backfill.photos.arrived",
            "LambdaFunctionArn": FUNCTION,
            "Events": ["s3:Replication:OperationReplicatedAfterThreshold"],
        },
    }
    policies = {
        part.resource.arn: part.content
        for part in found.parts
        if part.resource.kind is ResourceKind.EVENT_DESTINATION_POLICY
    }
    actions = {QUEUE: "sqs:SendMessage", TOPIC: "sns:Publish", FUNCTION: "lambda:InvokeFunction"}
    for arn, action in actions.items():
        assert policies[arn]["Action"] == action
        assert policies[arn]["Principal"] == {"Service": "s3.amazonaws.com"}
        assert policies[arn]["Condition"] == {
            "ArnLike": {"aws:SourceArn": "arn:aws:s3:::photos"},
            "StringEquals": {"aws:SourceAccount": SOURCE},
        }


def made_queue() -> None:
    found = wanted(GOLDEN["queue"])
    arn = f"arn:aws:sqs:eu-west-1:{SOURCE}:photos-failures"
    (queue,) = [part for part in found.parts if part.resource.kind is ResourceKind.QUEUE]
    assert (queue.resource.arn, queue.resource.side) == (arn, Side.SOURCE)
    assert (queue.resource.account, queue.resource.region) == (SOURCE, "eu-west-1")
    assert not queue.is_removable
    assert queue.content == {
        "QueueName": "photos-failures",
        "MessageRetentionPeriod": 1_209_600,
        "Tags": {ROLE_TAG: "photos"},
    }
    policy = ResourceKind.EVENT_DESTINATION_POLICY
    assert parts(found, policy)["BackfillEventsForPhotos"]["Resource"] == arn
    kinds = [part.resource.kind for part in found.parts]
    assert kinds.index(ResourceKind.QUEUE) < kinds.index(policy)
    told = parts(found, ResourceKind.NOTIFICATION)["backfill.photos.failed"]
    assert told["QueueArn"] == arn
    assert not any("SSE-KMS" in note for note in found.notes)


def batch_bucket() -> None:
    found = wanted(GOLDEN["batch"])
    assert parts(found, ResourceKind.BUCKET) == {"": {"Region": "eu-west-1"}}
    trust = parts(found, ResourceKind.ROLE_TRUST)["BackfillBatchTrustForPhotos"]
    assert trust["Principal"] == {"Service": "batchoperations.s3.amazonaws.com"}
    actions = policy_actions(GOLDEN["batch"], "batch")
    assert actions["SourceObjects"] == "s3:InitiateReplication"
    assert actions["ManifestsAndReports"] == [
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject",
    ]  # fmt: skip


def make_buckets() -> None:
    found = wanted(plain(batch={"bucket": "photos-reports", "make-buckets": False}))
    assert parts(found, ResourceKind.BUCKET) == {}


def generated_manifests() -> None:
    generated = policy_actions(GOLDEN["batch"], "batch")
    assert generated["GenerateManifest"] == [
        "s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration",
    ]  # fmt: skip
    own = plain(batch={"bucket": "photos-reports", "generated-manifests": False})
    assert "GenerateManifest" not in policy_actions(own, "batch")


def checksums() -> None:
    document = GOLDEN["batch-checksums"]
    computing = ["s3:GetObject", "s3:GetObjectVersion", "s3:RestoreObject"]
    source_role, role = policy_actions(document, "batch"), policy_actions(document, "checksums")
    assert source_role["SourceObjects"] == [*computing[:2], "s3:InitiateReplication", computing[2]]
    assert source_role["DecryptForChecksums"] == "kms:Decrypt"
    assert role["DestinationObjects"] == computing
    assert role["DecryptForChecksums"] == "kms:Decrypt"
    keys = key_policies(document)
    assert (SOURCE_KEY, "BackfillChecksumDecryptForPhotos") in keys
    assert (DESTINATION_KEY, "BackfillChecksumDecryptForPhotos") in keys
    assert policy_actions(GOLDEN["batch"], "batch")["SourceObjects"] == "s3:InitiateReplication"


def destination_batch_bucket() -> None:
    buckets = {
        (part.resource.side, part.resource.name, part.resource.region)
        for part in wanted(GOLDEN["batch-checksums"]).parts
        if part.resource.kind is ResourceKind.BUCKET
    }
    assert buckets == {
        (Side.SOURCE, "photos-reports", "eu-west-1"),
        (Side.DESTINATION, "photos-replica-reports", "us-west-2"),
    }


OPTIONS: dict[tuple[str, str], Callable[[], None]] = {
    ("source", "kms-key-arns"): source_keys,
    ("source", "object-lock"): object_lock,
    ("source", "annotations"): annotations,
    ("destination", "bucket-policy"): own_bucket_policy,
    ("destination", "bucket-keys"): bucket_keys,
    ("destination", "guard"): guard,
    ("rule", "enabled"): enabled,
    ("rule", "priority"): priority,
    ("rule", "destination"): which_destination,
    ("rule", "prefix"): prefix,
    ("rule", "tags"): tags,
    ("rule", "owner"): owner,
    ("rule", "kms-key-arn"): replica_key,
    ("rule", "kms-readers"): readers,
    ("rule", "storage-class"): storage_class,
    ("rule", "time-control"): time_control,
    ("rule", "metrics"): metrics,
    ("rule", "delete-markers"): delete_markers,
    ("rule", "replica-modifications"): replica_modifications,
    ("notification", "name"): notifications,
    ("notification", "arn"): notifications,
    ("notification", "queue"): made_queue,
    ("notification", "events"): notifications,
    ("batch", "bucket"): batch_bucket,
    ("batch", "make-buckets"): make_buckets,
    ("batch", "generated-manifests"): generated_manifests,
    ("batch", "checksums"): checksums,
    ("batch", "destination-bucket"): destination_batch_bucket,
}


@pytest.mark.parametrize("option", OPTIONS, ids="-".join)
def test_every_option_sets_what_the_reference_says(option: tuple[str, str]) -> None:
    """If this fails, a field of the spec is read and not carried out."""
    OPTIONS[option]()


def test_every_option_has_its_case() -> None:
    """If this fails, the reference names a test that does not look at its field."""
    here = {
        (field.table, field.name)
        for field in FIELDS
        if field.test.endswith(test_every_option_sets_what_the_reference_says.__name__)
    }
    assert here == set(OPTIONS)


def test_names_accounts_and_regions_appear_where_they_must() -> None:
    """If this fails, what is made cannot be told apart, or is made in the wrong place."""
    found = wanted(plain(name="film-two", rule=[{"name": "raw.v2"}]))
    assert found.name == "film-two"
    for resource in found.resources:
        is_source = resource.side is Side.SOURCE
        assert resource.account == (SOURCE if is_source else DESTINATION)
        if resource.kind not in {ResourceKind.ROLE_TRUST, ResourceKind.ROLE_POLICIES}:
            assert resource.region == ("eu-west-1" if is_source else "us-west-2")
            assert resource.name == ("photos" if is_source else "photos-replica")
    rules = parts(found, ResourceKind.REPLICATION)
    assert set(rules) == {"", "backfill.film-two.raw.v2"}
    assert "BackfillOwnedForFilmTwo" in parts(found, ResourceKind.BUCKET_POLICY)
    versioned = [p for p in found.parts if p.resource.kind is ResourceKind.VERSIONING]
    assert [part.content for part in versioned] == [{"Status": "Enabled"}] * 2
    place = in_destination(plain())
    assert (place["Bucket"], place["Account"]) == ("arn:aws:s3:::photos-replica", DESTINATION)


def test_a_role_is_made_or_taken_as_it_is() -> None:
    """If this fails, somebody's role is overwritten, or a policy names a role without its path."""
    made = wanted(plain(role={"name": "mover", "path": "/data/"}))
    (head,) = [
        part
        for part in made.parts
        if part.resource.kind is ResourceKind.ROLE_TRUST and not part.identifier
    ]
    assert head.resource.arn == f"arn:aws:iam::{SOURCE}:role/data/mover"
    assert (head.resource.name, head.resource.path) == ("mover", "/data/")
    assert head.content == {"Path": "/data/", "Tags": {ROLE_TAG: "photos"}}
    policies = parts(made, ResourceKind.BUCKET_POLICY)
    assert all(p["Principal"] == {"AWS": head.resource.arn} for p in policies.values())

    arn = f"arn:aws:iam::{SOURCE}:role/deep/er/replicator"
    taken = wanted(
        plain(role={"arn": arn}, batch={"bucket": "r-s"}, **{"batch-role": {"arn": arn}})
    )
    assert taken.expects == (arn,)
    assert parts(taken, ResourceKind.ROLE_TRUST) == {}
    names = {"backfill.photos.replicate", "backfill.photos.batch"}
    assert set(parts(taken, ResourceKind.ROLE_POLICIES)) == names
    assert parts(taken, ResourceKind.REPLICATION)[""] == {"Role": arn}
    bare = wanted(plain(role={"arn": arn, "policy": False}))
    assert parts(bare, ResourceKind.ROLE_POLICIES) == {}


def test_no_role_is_trusted_under_a_condition_that_s3_may_not_send() -> None:
    """If this fails, replication stops with AssumeRoleNotPermitted on real AWS."""
    for document in GOLDEN.values():
        for part in wanted(document).parts:
            if part.resource.kind is ResourceKind.ROLE_TRUST and part.identifier:
                assert "Condition" not in part.content


def test_parts_stand_in_the_order_in_which_it_is_safe_to_write_them() -> None:
    """If this fails, a rule is put before its role, or an event before its queue lets S3 send."""
    for document in GOLDEN.values():
        kinds = [resource.kind for resource in wanted(document).resources]
        assert kinds == sorted(kinds, key=lambda kind: kind.order)
        order = [ResourceKind.VERSIONING, ResourceKind.ROLE_TRUST, ResourceKind.ROLE_POLICIES]
        order += [ResourceKind.BUCKET_POLICY, ResourceKind.REPLICATION, ResourceKind.NOTIFICATION]
        there = [kind for kind in dict.fromkeys(kinds) if kind in order]
        assert there == [kind for kind in order if kind in there]


def test_nothing_is_granted_to_everybody_or_on_everything() -> None:
    """If this fails, a generated policy is not least privilege."""
    for document in GOLDEN.values():
        for part in wanted(document).parts:
            statements = part.content.get("Statement", [part.content])
            assert isinstance(statements, list)
            for statement in statements:
                if statement.get("Effect") != "Allow":
                    continue
                assert statement.get("Principal") != "*"
                assert "*" not in str(statement["Action"])
                is_key_policy = part.resource.kind is ResourceKind.KEY_POLICY
                assert is_key_policy or statement.get("Resource") != "*"
                if "kms:" in str(statement["Action"]):
                    assert "kms:ViaService" in str(statement["Condition"])
