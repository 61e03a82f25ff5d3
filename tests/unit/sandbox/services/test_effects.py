"""What IAM, KMS and SQS calls do to replication, jobs and S3 calls: nothing is only kept."""

import json
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ConnectionClosedError

from backfill.sandbox.http.faults import Fault, FaultKind
from backfill.sandbox.service import Sandbox
from tests.unit.sandbox.services.acts import (
    S3,
    TRUSTS_S3,
    A,
    B,
    Client,
    Desk,
    allow,
    policy,
    refused,
    trust,
)

SOURCE, DESTINATION = "effects-source", "effects-destination"
ROLE = f"arn:aws:iam::{A}:role/service-role/replicates"
READS = (
    allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], f"arn:aws:s3:::{SOURCE}"),
    allow(
        [
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionTagging",
        ],
        f"arn:aws:s3:::{SOURCE}/*",
    ),
)
WRITES = allow(
    ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
    f"arn:aws:s3:::{DESTINATION}/*",
)
COMPLETE = policy(*READS, WRITES)


class Stage:
    """Two versioned buckets and a rule between them, under a role that IAM made."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.iam = desk.client("iam")
        self.source, self.destination = desk.client("s3"), desk.client("s3", "destination")
        self.source.create_bucket(Bucket=SOURCE)
        self.destination.create_bucket(
            Bucket=DESTINATION, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        enabled = {"Status": "Enabled"}
        for client, bucket in ((self.source, SOURCE), (self.destination, DESTINATION)):
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
        self.iam.create_role(
            RoleName="replicates", Path="/service-role/", AssumeRolePolicyDocument=TRUSTS_S3
        )
        self.set_policy(COMPLETE)
        self.open_destination()
        self.set_rule()

    def set_policy(self, document: str) -> None:
        self.iam.put_role_policy(
            RoleName="replicates", PolicyName="replicates", PolicyDocument=document
        )

    def open_destination(self) -> None:
        objects = allow(
            ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
            f"arn:aws:s3:::{DESTINATION}/*",
            Principal={"AWS": ROLE},
        )
        bucket = allow(
            ["s3:List*", "s3:GetBucketVersioning", "s3:PutBucketVersioning"],
            f"arn:aws:s3:::{DESTINATION}",
            Principal={"AWS": ROLE},
        )
        self.destination.put_bucket_policy(Bucket=DESTINATION, Policy=policy(objects, bucket))

    def set_rule(self, replica_key: str | None = None) -> None:
        destination: dict[str, object] = {"Bucket": f"arn:aws:s3:::{DESTINATION}"}
        rule: dict[str, object] = {
            "ID": "all",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "Status": "Enabled",
            "DeleteMarkerReplication": {"Status": "Disabled"},
        }
        if replica_key is not None:
            destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": replica_key}
            rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
        configuration = {"Role": ROLE, "Rules": [rule | {"Destination": destination}]}
        self.source.put_bucket_replication(Bucket=SOURCE, ReplicationConfiguration=configuration)

    def replicated(self, **encryption: str) -> str:
        """The status that a new object ends with."""
        self.source.put_object(Bucket=SOURCE, Key="k", Body=b"x", **encryption)
        self.desk.sandbox.advance()
        return str(self.source.head_object(Bucket=SOURCE, Key="k").get("ReplicationStatus"))


@pytest.fixture
def stage(desk: Desk) -> Stage:
    return Stage(desk)


def _attach(stage: Stage, document: str) -> str:
    made = stage.iam.create_policy(PolicyName="attached", PolicyDocument=document)
    arn = str(made["Policy"]["Arn"])
    stage.iam.attach_role_policy(RoleName="replicates", PolicyArn=arn)
    return arn


def _bound(stage: Stage) -> None:
    made = stage.iam.create_policy(PolicyName="boundary", PolicyDocument=policy(*READS))
    stage.iam.put_role_permissions_boundary(
        RoleName="replicates", PermissionsBoundary=made["Policy"]["Arn"]
    )


def _trust(stage: Stage, document: str) -> None:
    stage.iam.update_assume_role_policy(RoleName="replicates", PolicyDocument=document)


def _delete(stage: Stage) -> None:
    stage.iam.delete_role_policy(RoleName="replicates", PolicyName="replicates")
    stage.iam.delete_role(RoleName="replicates")


def test_replication_works_under_a_role_that_iam_made(stage: Stage) -> None:
    """If this fails, what setup applies does not replicate."""
    assert stage.replicated() == "COMPLETED"
    assert stage.destination.get_object(Bucket=DESTINATION, Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda stage: stage.set_policy(policy(*READS)),
        lambda stage: stage.set_policy(policy(*READS, WRITES, allow("s3:*", effect="Deny"))),
        lambda stage: _attach(stage, policy(allow("s3:ReplicateObject", effect="Deny"))),
        _bound,
        lambda stage: _trust(stage, trust({"Service": "batchoperations.s3.amazonaws.com"})),
        lambda stage: _trust(
            stage, trust({"Service": S3}, {"StringEquals": {"aws:SourceAccount": B}})
        ),
        lambda stage: _trust(
            stage, trust({"Service": S3}, {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::other"}})
        ),
        _delete,
        lambda stage: stage.destination.delete_bucket_policy(Bucket=DESTINATION),
    ],
    ids=[
        "write missing",
        "denied",
        "denied by attached policy",
        "held back by boundary",
        "trust missing",
        "other account",
        "other bucket",
        "role gone",
        "destination closed",
    ],
)
def test_whatever_takes_the_role_its_right_stops_replication(
    stage: Stage, spoil: Callable[[Stage], object]
) -> None:
    """If this fails, preflight's findings are about nothing that happens."""
    spoil(stage)
    assert stage.replicated() == "FAILED"


def test_what_is_given_back_by_another_kind_of_policy_counts(stage: Stage) -> None:
    """If this fails, attached policies and conditions on trust are only kept."""
    stage.set_policy(policy(*READS))
    arn = _attach(stage, policy(WRITES))
    _trust(
        stage,
        trust(
            {"Service": S3},
            {
                "StringEquals": {"aws:SourceAccount": A},
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{SOURCE}"},
            },
        ),
    )
    assert stage.replicated() == "COMPLETED"
    narrow = stage.iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=policy(allow("s3:ListBucket")), SetAsDefault=True
    )
    assert narrow["PolicyVersion"]["IsDefaultVersion"]
    assert stage.replicated() == "FAILED"


def test_keys_on_both_sides_have_to_let_the_role_in(stage: Stage) -> None:
    """If this fails, a key policy that shuts the role out is found by the first object only."""
    here, there = stage.desk.client("kms"), stage.desk.client("kms", "destination")
    source_key = here.create_key()["KeyMetadata"]["Arn"]
    replica_key = there.create_key()["KeyMetadata"]["Arn"]
    stage.set_rule(replica_key)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": source_key}
    decrypts = allow("kms:Decrypt", source_key)
    encrypts = allow(["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"], replica_key)
    stage.set_policy(policy(*READS, WRITES, decrypts, encrypts))
    assert stage.replicated(**encryption) == "FAILED"  # the other account's key says nothing
    root = allow("kms:*", Principal={"AWS": B})
    lets = allow(["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"], Principal={"AWS": ROLE})
    there.put_key_policy(KeyId=replica_key, Policy=policy(root, lets))
    assert stage.replicated(**encryption) == "COMPLETED"
    there.disable_key(KeyId=replica_key)
    assert stage.replicated(**encryption) == "FAILED"


def test_a_policy_names_only_who_is_there(stage: Stage) -> None:
    """If this fails, a wrong role path in a bucket policy is found by the first object only."""
    no_path = ROLE.replace("service-role/", "")
    statement = allow("s3:*", f"arn:aws:s3:::{DESTINATION}", Principal={"AWS": no_path})
    put = {"Bucket": DESTINATION, "Policy": policy(statement)}
    assert refused(lambda: stage.destination.put_bucket_policy(**put)) == ("MalformedPolicy", 400)
    others = allow("s3:*", f"arn:aws:s3:::{DESTINATION}", Principal={"AWS": "333333333333"})
    stage.destination.put_bucket_policy(Bucket=DESTINATION, Policy=policy(others))


def test_a_role_that_is_made_again_is_somebody_else(stage: Stage) -> None:
    """If this fails, destroy and apply look well where AWS still knows the old role."""
    old_id = stage.iam.get_role(RoleName="replicates")["Role"]["RoleId"]
    _delete(stage)
    text = stage.destination.get_bucket_policy(Bucket=DESTINATION)["Policy"]
    assert {s["Principal"]["AWS"] for s in json.loads(text)["Statement"]} == {old_id}
    stage.iam.create_role(
        RoleName="replicates", Path="/service-role/", AssumeRolePolicyDocument=TRUSTS_S3
    )
    stage.set_policy(COMPLETE)
    assert stage.replicated() == "FAILED"
    put = {"Bucket": DESTINATION, "Policy": text}
    assert refused(lambda: stage.destination.put_bucket_policy(**put)) == ("MalformedPolicy", 400)
    stage.open_destination()
    assert stage.replicated() == "COMPLETED"


def test_without_strict_accounts_what_nobody_made_is_there() -> None:
    """If this fails, every test about something else has to make roles and keys."""
    with Sandbox() as sandbox:
        desk = Desk(sandbox)
        client: Client = desk.client("s3")
        client.create_bucket(Bucket="any")
        role = f"arn:aws:iam::{A}:role/nobody-made"
        statement = allow("s3:*", "arn:aws:s3:::any", Principal={"AWS": role})
        client.put_bucket_policy(Bucket="any", Policy=policy(statement))
        text = client.get_bucket_policy(Bucket="any")["Policy"]
        assert json.loads(text)["Statement"][0]["Principal"] == {"AWS": role}
        desk.close()


def test_two_sandboxes_share_nothing() -> None:
    """If this fails, one test's roles decide in another's world."""
    with Sandbox() as one, Sandbox() as other:
        desks = [Desk(one), Desk(other)]
        first, second = (desk.client("iam") for desk in desks)
        first.create_role(RoleName="mine", AssumeRolePolicyDocument=TRUSTS_S3)
        assert second.list_roles()["Roles"] == []
        assert refused(lambda: second.get_role(RoleName="mine")) == ("NoSuchEntity", 404)
        for desk in desks:
            desk.close()


def test_an_answer_of_any_service_can_be_lost_or_spoiled(desk: Desk) -> None:
    """If this fails, nobody can try what setup does when IAM's answer never comes."""
    faults = {
        "iam:CreateRole": Fault(kind=FaultKind.RESET, is_applied=True),
        "kms:CreateKey": Fault(kind=FaultKind.ERROR, code="ThrottlingException", status=400),
        "iam:GetRole": Fault(kind=FaultKind.ERROR, code="Throttling", status=400),
    }
    desk.sandbox.set_fault_hook(lambda call: faults.get(call.operation))
    iam = desk.client("iam")
    with pytest.raises(ConnectionClosedError):
        iam.create_role(RoleName="lost", AssumeRolePolicyDocument=TRUSTS_S3)
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["lost"]
    assert refused(lambda: iam.get_role(RoleName="lost")) == ("Throttling", 400)
    assert refused(desk.client("kms").create_key) == ("ThrottlingException", 400)
    assert desk.sandbox.calls()["iam:CreateRole"] == 1


def test_the_exports_lead_every_sdk_here(desk: Desk) -> None:
    """If this fails, preflight asks AWS about accounts that only the sandbox has."""
    variables = desk.sandbox.environment("source")
    for name in ("S3", "STS", "IAM", "KMS", "SQS", "SNS", "LAMBDA", "CLOUDWATCH"):
        assert variables[f"AWS_ENDPOINT_URL_{name}"] == desk.sandbox.endpoint_url


def test_the_profiles_lead_every_sdk_here(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, --source-profile works for S3 and asks AWS for the rest."""
    for name, value in desk.sandbox.write_profiles(tmp_path).items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session(profile_name="destination")
    iam, queues, numbers = (session.client(name) for name in ("iam", "sqs", "cloudwatch"))
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=TRUSTS_S3)
    assert desk.client("iam", "destination").get_role(RoleName="mine")["Role"]["Path"] == "/"
    assert queues.create_queue(QueueName="q")["QueueUrl"].startswith(desk.sandbox.endpoint_url)
    assert numbers.list_metrics()["Metrics"] == []
    for client in (iam, queues, numbers):
        client.close()


async def test_the_asynchronous_sdk_works_as_well(desk: Desk) -> None:
    """If this fails, the product's own client does not understand the sandbox's services."""
    settings = desk.sandbox.client_settings("source")
    session: Client = get_session()
    async with (
        session.create_client("iam", **settings) as iam,
        session.create_client("kms", **settings) as kms,
        session.create_client("sqs", **settings) as sqs,
        session.create_client("sns", **settings) as sns,
        session.create_client("lambda", **settings) as functions,
        session.create_client("cloudwatch", **settings) as numbers,
    ):
        await iam.create_role(RoleName="mine", AssumeRolePolicyDocument=TRUSTS_S3)
        role = (await iam.get_role(RoleName="mine"))["Role"]
        assert role["AssumeRolePolicyDocument"] == json.loads(TRUSTS_S3)
        assert (await kms.create_key())["KeyMetadata"]["KeyState"] == "Enabled"
        assert (await sqs.create_queue(QueueName="q"))["QueueUrl"].endswith(f"/{A}/q")
        assert (await sns.create_topic(Name="t"))["TopicArn"].endswith(":t")
        assert (await functions.list_functions())["Functions"] == []
        assert (await numbers.list_metrics())["Metrics"] == []
