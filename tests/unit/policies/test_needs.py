"""The table of needs: it explains every refusal, and says what the documents to paste say."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from backfill.batch_operations.failure_codes import FAILURE_CODES, FailureClass
from backfill.policies.need import Feature, On, Party, Weight
from backfill.policies.needs import NEEDS, explained, needs_of

ROOT = Path(__file__).resolve().parents[3]
ALL = frozenset(Feature)
NO_PERMISSION = {
    # Codes that end in a mend of something else than a permission.
    *("SrcBucketInvalidRegion", "SrcBucketNotFound", "DstBucketInvalidRegion"),
    *("DstBucketNotFound", "DstBucketUnversioned", "DstBucketObjectLockConfigMissing"),
    *("SrcKmsKeyInvalidState", "DstKmsKeyNotFound", "DstKmsKeyInvalidState"),
}


def actions(party: Party, features: Collection[Feature], on: On) -> set[str]:
    return {need.action for need in needs_of(party, features) if need.on is on}


@pytest.mark.parametrize("code", sorted(FAILURE_CODES))
def test_every_code_that_a_permission_causes_is_explained(code: str) -> None:
    """If this fails, watch and reports tell a code and no statement that mends it."""
    is_mended = FAILURE_CODES[code].cls is FailureClass.AFTER_MEND and code not in NO_PERMISSION
    assert bool(explained(code)) is is_mended


def test_no_need_speaks_of_a_code_that_is_not_documented() -> None:
    """If this fails, a typing error hides a need from the code that it causes."""
    assert {code for need in NEEDS for code in need.codes} <= FAILURE_CODES.keys()


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("InitiateReplicationNotPermitted", {("s3:InitiateReplication", On.SOURCE_OBJECTS)}),
        ("DstDelObjNotPermitted", {("s3:ReplicateDelete", On.DESTINATION_OBJECTS)}),
        (
            "DstPutObjectNotPermitted",
            {
                ("s3:ReplicateObject", On.DESTINATION_OBJECTS),
                ("s3:ObjectOwnerOverrideToBucketOwner", On.DESTINATION_OBJECTS),
                ("kms:Encrypt", On.DESTINATION_KEY),
                ("kms:GenerateDataKey", On.DESTINATION_KEY),
                ("kms:Decrypt", On.DESTINATION_KEY),
            },
        ),
        (
            "AssumeRoleNotPermitted",
            {
                ("sts:AssumeRole", On.REPLICATION_ROLE),
                ("sts:AssumeRole", On.BATCH_ROLE),
            },
        ),
        ("SrcObjectNotEligible", set()),
        ("never heard", set()),
    ],
)
def test_a_code_names_what_lacks(code: str, needed: set[tuple[str, On]]) -> None:
    """If this fails, a person grants something that does not mend the failure."""
    assert {(need.action, need.on) for need in explained(code)} == needed


def test_features_ask_for_what_they_need_and_for_no_more() -> None:
    """If this fails, a role is given more than its rules use, or too little."""
    party = Party.REPLICATION_ROLE
    assert actions(party, (), On.SOURCE_OBJECTS) == {
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
    }
    assert actions(party, (), On.DESTINATION_OBJECTS) == {"s3:ReplicateObject"}
    assert actions(party, (), On.SOURCE_KEY) == set()
    everything = actions(party, ALL, On.SOURCE_OBJECTS) | actions(
        party, ALL, On.DESTINATION_OBJECTS
    )
    assert everything == {
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
        "s3:GetObjectVersionAnnotationForReplication",
        "s3:ReplicateObject",
        "s3:ReplicateTags",
        "s3:ReplicateDelete",
        "s3:ObjectOwnerOverrideToBucketOwner",
    }


def test_a_bucket_key_makes_required_what_is_otherwise_advised() -> None:
    """If this fails, replicas under an S3 Bucket Key fail without a warning."""

    def weights(*features: Feature) -> dict[str, Weight]:
        found = needs_of(Party.REPLICATION_ROLE, features)
        return {need.action: need.weight for need in found if need.on is On.DESTINATION_KEY}

    plain = {"kms:Encrypt": Weight.REQUIRED}
    data_keys = ("kms:GenerateDataKey", "kms:Decrypt")
    assert weights(Feature.SSE_KMS) == plain | dict.fromkeys(data_keys, Weight.ADVISED)
    with_key = weights(Feature.SSE_KMS, Feature.DESTINATION_BUCKET_KEY)
    assert with_key == plain | dict.fromkeys(data_keys, Weight.REQUIRED)


def test_what_only_a_failure_asks_for_is_not_asked_in_advance() -> None:
    """If this fails, sound set-ups are said to lack what S3 does not ask for."""
    assert "s3:PutObjectRetention" not in actions(
        Party.REPLICATION_ROLE, ALL, On.DESTINATION_OBJECTS
    )
    assert "s3:PutObjectRetention" in {
        need.action for need in explained("DstPutRetentionNotPermitted")
    }


def test_nothing_ever_needs_to_delete_a_version() -> None:
    """If this fails, a policy of ours can lose data."""
    every = {need.action for need in NEEDS}
    assert "s3:DeleteObjectVersion" not in every
    assert not {action for action in every if "*" in action}


JOBS = {Feature.REPLICATE_JOBS}
PASTED = [
    ("batch-operations/batch-role-replicate.json", Party.BATCH_ROLE, JOBS),
    ("batch-operations/batch-role-checksum.json", Party.BATCH_ROLE, {Feature.CHECKSUM_JOBS}),
    ("iam/source-identity.json", Party.SOURCE_IDENTITY, {Feature.OBJECT_LOCK}),
    ("iam/destination-identity.json", Party.COPY_IDENTITY, set[Feature]()),
]
MORE = [
    (
        "batch-operations/batch-role-replicate-generated.json",
        Party.BATCH_ROLE,
        JOBS | {Feature.GENERATED_MANIFEST},
        JOBS,
    ),
    (
        "batch-operations/batch-role-checksum-kms.json",
        Party.BATCH_ROLE,
        {Feature.CHECKSUM_JOBS, Feature.SSE_KMS},
        {Feature.CHECKSUM_JOBS},
    ),
    (
        "batch-operations/batch-role-inventory-manifest-kms.json",
        Party.BATCH_ROLE,
        {Feature.KMS_MANIFEST},
        set[Feature](),
    ),
    ("iam/source-identity-kms.json", Party.SOURCE_IDENTITY, {Feature.SSE_KMS}, set[Feature]()),
    ("iam/source-identity-restore.json", Party.SOURCE_IDENTITY, {Feature.RESTORES}, set[Feature]()),
    ("iam/destination-identity-kms.json", Party.COPY_IDENTITY, {Feature.SSE_KMS}, set[Feature]()),
    (
        "iam/destination-identity-delete-markers.json",
        Party.COPY_IDENTITY,
        {Feature.HIDING},
        set[Feature](),
    ),
]


def written(name: str) -> set[tuple[str, bool]]:
    """Return the actions of a document, each with whether it is on objects, jobs or keys."""
    document = json.loads((ROOT / "manifests" / name).read_text())
    return {
        (action, "/" in statement["Resource"] or "KEY" in statement["Resource"])
        for statement in document["Statement"]
        for action in statement["Action"]
    }


def tabled(party: Party, features: Collection[Feature]) -> set[tuple[str, bool]]:
    buckets = {On.SOURCE_BUCKET, On.DESTINATION_BUCKET, On.BATCH_BUCKET}
    return {(need.action, need.on not in buckets) for need in needs_of(party, features)}


@pytest.mark.parametrize(("name", "party", "features"), PASTED)
def test_the_documents_to_paste_say_the_same(
    name: str, party: Party, features: set[Feature]
) -> None:
    """If this fails, manifests/ and the table ask for different things."""
    assert written(name) == tabled(party, features)


@pytest.mark.parametrize(("name", "party", "features", "without"), MORE)
def test_the_additional_documents_say_what_the_features_add(
    name: str, party: Party, features: set[Feature], without: set[Feature]
) -> None:
    """If this fails, a document for one feature does not hold just what the feature needs."""
    assert written(name) == tabled(party, features) - tabled(party, without)


def test_whoever_creates_jobs_needs_what_the_document_to_paste_says() -> None:
    """If this fails, a job cannot be made, or is made with too many rights."""
    document = json.loads((ROOT / "manifests/batch-operations/creator-identity.json").read_text())
    pasted = {action for statement in document["Statement"] for action in statement["Action"]}
    every = {need.action for need in needs_of(Party.SOURCE_CREATOR, JOBS)}
    plain = {need.action for need in needs_of(Party.SOURCE_CREATOR, ())} - {"iam:PassRole"}
    assert pasted - (every - plain) == {"s3:UpdateJobPriority"}  # `jobs priority`, by hand only
    assert every - plain <= pasted


def test_of_two_rows_for_one_action_the_first_is_told() -> None:
    """If this fails, why a job needs an action changes with the jobs that are made beside it."""
    both = needs_of(Party.BATCH_ROLE, {Feature.CHECKSUM_JOBS, Feature.COPY_JOBS})
    (reads,) = (
        each for each in both if (each.action, each.on) == ("s3:GetObject", On.SOURCE_OBJECTS)
    )
    assert reads.features == {Feature.CHECKSUM_JOBS}
    replicating = needs_of(Party.REPLICATION_ROLE, {Feature.DELETE_MARKERS})
    (lists,) = (each for each in replicating if each.action == "s3:ListBucket")
    assert lists.weight is Weight.REQUIRED
