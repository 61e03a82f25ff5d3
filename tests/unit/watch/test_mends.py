"""Which statements a failure reason points to, for the buckets and the role of a rule."""

import json
from dataclasses import asdict

import pytest

from backfill.batch_operations.failure_codes import FAILURE_CODES
from backfill.model.places import BucketPlace
from backfill.plan.configuration import parse_configuration
from backfill.plan.rules import Rule
from backfill.watch.mends import Way, missing_statements, way_of

ROLE = "arn:aws:iam::111111111111:role/service-role/replication"
KEY = "arn:aws:kms:eu-west-1:222222222222:key/1234abcd"


def place(bucket: str, region: str, owner: str) -> BucketPlace:
    return BucketPlace(bucket=bucket, region=region, expected_owner=owner, owner_origin="flag")


SOURCE = place("photos", "us-east-1", "111111111111")
DESTINATION = place("replicas", "eu-west-1", "222222222222")


def rules(**destination: object) -> tuple[Rule, ...]:
    criteria = {"SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}}}
    document = {
        "Role": ROLE,
        "Rules": [
            {
                "ID": "r",
                "Priority": 1,
                "Filter": {},
                "Status": "Enabled",
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "Destination": {"Bucket": "arn:aws:s3:::replicas", **destination},
                **(criteria if "EncryptionConfiguration" in destination else {}),
            }
        ],
    }
    return parse_configuration(document).rules


def way(**destination: object) -> Way:
    found = way_of(rules(**destination), role_arn=ROLE, source=SOURCE, destination=DESTINATION)
    assert found is not None
    return found


@pytest.mark.parametrize("code", [*FAILURE_CODES, "", "SomethingNew"])
def test_every_reason_has_statements_or_none_and_all_can_be_pasted(code: str) -> None:
    """If this fails, a failure code ends the watch, or a mend is no JSON."""
    for each in missing_statements(code, way()):
        statement = json.loads(json.dumps(asdict(each)))["statement"]
        assert statement["Effect"] == "Allow"
        assert each.account_id in {"111111111111", "222222222222"}


def test_a_denied_replica_needs_the_role_and_the_bucket_policy() -> None:
    """If this fails, a person mends one side and wonders why it still fails."""
    found = missing_statements("DstPutObjectNotPermitted", way())
    assert [(each.document, each.account_id) for each in found] == [
        (f"a policy of the role {ROLE}", "111111111111"),
        ("the bucket policy of arn:aws:s3:::replicas", "222222222222"),
    ]
    for each in found:
        assert "s3:ReplicateObject" in json.dumps(each.statement)
        assert "arn:aws:s3:::replicas/*" in json.dumps(each.statement)
    assert ROLE in json.dumps(found[1].statement)


def test_a_rule_with_a_key_and_another_owner_needs_more() -> None:
    """If this fails, what the rule asks of the destination's key or owner is not said."""
    plain = missing_statements("DstPutObjectNotPermitted", way())
    full = missing_statements(
        "DstPutObjectNotPermitted",
        way(
            Account="222222222222",
            AccessControlTranslation={"Owner": "Destination"},
            EncryptionConfiguration={"ReplicaKmsKeyID": KEY},
        ),
    )
    assert "ObjectOwnerOverrideToBucketOwner" not in json.dumps([asdict(one) for one in plain])
    text = json.dumps([asdict(one) for one in full])
    assert "s3:ObjectOwnerOverrideToBucketOwner" in text
    assert "kms:Encrypt" in text
    assert f"the key policy of {KEY}" in text


@pytest.mark.parametrize("code", ["SrcObjectNotEligible", "DstBucketUnversioned", "SlowDown"])
def test_what_no_permission_causes_has_no_statement(code: str) -> None:
    """If this fails, somebody opens a policy for nothing."""
    assert missing_statements(code, way()) == ()


@pytest.mark.parametrize("role", ["", "role", "arn:aws:iam::111111111111:user/x"])
def test_without_a_role_there_is_nothing_to_name(role: str) -> None:
    """If this fails, an odd configuration ends the watch."""
    assert way_of(rules(), role_arn=role, source=SOURCE, destination=DESTINATION) is None


TRUST = f"the trust policy of {ROLE}"
OF_ROLE = f"a policy of the role {ROLE}"


@pytest.mark.parametrize(
    ("code", "document", "action"),
    [
        ("AssumeRoleNotPermitted", TRUST, "sts:AssumeRole"),
        ("SrcBucketReplicationConfigMissing", OF_ROLE, "s3:GetReplicationConfiguration"),
        ("SrcGetTaggingNotPermitted", OF_ROLE, "s3:GetObjectVersionTagging"),
        ("SrcGetRetentionNotPermitted", OF_ROLE, "s3:GetObjectRetention"),
        (
            "SrcGetObjectAnnotationNotPermitted",
            OF_ROLE,
            "s3:GetObjectVersionAnnotationForReplication",
        ),
        ("DstDelObjNotPermitted", OF_ROLE, "s3:ReplicateDelete"),
    ],
)
def test_what_live_replication_lacks_is_named_also_where_jobs_can_lack_it(
    code: str, document: str, action: str
) -> None:
    """If this fails, a role that S3 may not assume is reported without the statement to add."""
    first = missing_statements(code, way())[0]
    assert first.document == document
    assert first.statement["Action"] == action
    assert first.account_id == "111111111111"


def test_the_trust_that_lacks_is_that_of_s3_alone() -> None:
    """If this fails, a person lets Batch Operations assume the replication role."""
    (told,) = missing_statements("AssumeRoleNotPermitted", way())
    assert told.statement["Principal"] == {"Service": "s3.amazonaws.com"}


@pytest.mark.parametrize("code", ["InitiateReplicationNotPermitted", "AccessDenied"])
def test_what_only_jobs_and_copies_lack_is_not_named_here(code: str) -> None:
    """If this fails, live replication's role is given the rights of jobs."""
    assert missing_statements(code, way()) == ()


def test_only_keys_by_their_arn_are_named() -> None:
    """If this fails, a statement names an alias, which grants nothing."""
    named = way(EncryptionConfiguration={"ReplicaKmsKeyID": "alias/replicas"})
    assert named.pair.destination_key_arns == ()
    both = way(EncryptionConfiguration={"ReplicaKmsKeyID": KEY})
    assert both.pair.destination_key_arns == (KEY,)
    assert both.pair.partition == "aws"
