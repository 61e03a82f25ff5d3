"""The policies that people paste: exact, least, and enough for every call of ours."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from backfill.model.permissions import (
    _ACCOUNT_ACTIONS,
    _ACL_ACTIONS,
    _BUCKET_ACTIONS,
    _LOCK_ACTIONS,
    _OBJECT_ACTIONS,
    _SOURCE_ACTIONS,
)
from backfill.preflight.statements import source_key_statement, source_statement

FOLDER = Path(__file__).resolve().parents[2] / "manifests/iam"
RUN_GUARD = "run-directory-bucket-policy.json"
"""It grants nothing: it refuses."""
ALL_FILES = sorted(path.name for path in FOLDER.glob("*.json"))
FILES = [name for name in ALL_FILES if name != RUN_GUARD]

COPY_READ = {
    "s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging",
}  # fmt: skip
LIST = {"s3:ListBucket", "s3:ListBucketVersions"}
BUCKET_FACTS = {
    "s3:GetBucketObjectLockConfiguration", "s3:GetBucketOwnershipControls",
    "s3:GetBucketVersioning",
}  # fmt: skip
HIDDEN_BY_HEAD = {"s3:GetObjectLegalHold", "s3:GetObjectRetention"}
SOURCE = "arn:aws:s3:::<SOURCE_BUCKET>"
DESTINATION = "arn:aws:s3:::<DESTINATION_BUCKET>"

BATCH = "arn:aws:s3:::<BATCH_BUCKET>"
RUNS = "arn:aws:s3:::<RUN_BUCKET>"
BUCKET_LOOKS = BUCKET_FACTS | {
    "s3:GetBucketNotification", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketRequestPayment", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
}  # fmt: skip
ROLE_LOOKS = {
    "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
}  # fmt: skip
ROLE_WRITES = {
    "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PassRole", "iam:PutRolePolicy",
    "iam:TagRole", "iam:UpdateAssumeRolePolicy",
}  # fmt: skip
POLICY_LOOKS = {"iam:GetPolicy", "iam:GetPolicyVersion"}
KEY_LOOKS = {"kms:DescribeKey", "kms:GetKeyPolicy"}
KEY_MANAGEMENT = KEY_LOOKS | {"kms:PutKeyPolicy"}


def read_and_put(*names: str) -> set[str]:
    return {f"s3:{word}{name}" for word in ("Get", "Put") for name in names}


EXPECTED: dict[str, dict[str, set[str]]] = {
    "source-bucket-policy.json": {SOURCE: {"s3:ListBucket"}, f"{SOURCE}/*": COPY_READ},
    "source-kms-key-policy.json": {"*": {"kms:Decrypt"}},
    "source-identity.json": {
        SOURCE: BUCKET_FACTS | LIST | {"s3:GetReplicationConfiguration"},
        f"{SOURCE}/*": COPY_READ | HIDDEN_BY_HEAD | {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
    },
    "source-identity-kms.json": {"<SOURCE_KEY_ARN>": {"kms:Decrypt"}},
    "source-identity-restore.json": {f"{SOURCE}/*": {"s3:RestoreObject"}},
    "destination-identity.json": {
        SOURCE: {"s3:ListBucket"},
        f"{SOURCE}/*": COPY_READ,
        DESTINATION: BUCKET_FACTS | LIST,
        f"{DESTINATION}/*": COPY_READ
        | {
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
            "s3:PutObjectTagging",
        },
    },
    "destination-identity-kms.json": {
        "<SOURCE_KEY_ARN>": {"kms:Decrypt"},
        "<DESTINATION_KEY_ARN>": {"kms:Decrypt", "kms:GenerateDataKey"},
    },
    "destination-kms-key-policy.json": {"*": {"kms:Decrypt", "kms:GenerateDataKey"}},
    "destination-identity-delete-markers.json": {f"{DESTINATION}/*": {"s3:DeleteObject"}},
    "destination-identity-object-lock.json": {
        f"{DESTINATION}/*": HIDDEN_BY_HEAD | {"s3:PutObjectLegalHold", "s3:PutObjectRetention"},
    },
    "destination-identity-acls.json": {
        DESTINATION: {"s3:GetBucketAcl", "s3:GetBucketPublicAccessBlock"},
        f"{DESTINATION}/*": {"s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:PutObjectAcl"},
    },
    "setup-source-identity.json": {
        SOURCE: {"s3:GetBucketVersioning", "s3:ListBucket", "s3:PutBucketVersioning"}
        | read_and_put("BucketNotification", "ReplicationConfiguration"),
        BATCH: {"s3:CreateBucket", "s3:ListBucket", "s3:PutBucketOwnershipControls"},
        "arn:aws:iam::<SOURCE_ACCOUNT>:role/*backfill-*": ROLE_LOOKS | ROLE_WRITES,
        "arn:aws:iam::<SOURCE_ACCOUNT>:policy/*": POLICY_LOOKS,
        "<SOURCE_KEY_ARN>": {"kms:GetKeyPolicy", "kms:PutKeyPolicy"},
        "<QUEUE_ARN>": {
            "sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
            "sqs:SetQueueAttributes", "sqs:TagQueue",
        },
    },
    "setup-destination-identity.json": {
        DESTINATION: {"s3:DeleteBucketPolicy", "s3:ListBucket"}
        | read_and_put("BucketObjectLockConfiguration", "BucketPolicy", "BucketVersioning")
        | read_and_put("EncryptionConfiguration"),
        "<DESTINATION_KEY_ARN>": {"kms:GetKeyPolicy", "kms:PutKeyPolicy"},
    },
    "preflight-source-identity.json": {
        SOURCE: BUCKET_LOOKS | {"s3:GetReplicationConfiguration"},
        BATCH: BUCKET_FACTS
        | {"s3:GetBucketPolicy", "s3:GetEncryptionConfiguration", "s3:ListBucket"},
        f"{SOURCE}/*": {"s3:PutObject"},
        "<QUEUE_ARN>": {"sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
        "arn:aws:iam::<SOURCE_ACCOUNT>:role/*": ROLE_LOOKS | {"iam:SimulatePrincipalPolicy"},
        "arn:aws:iam::<SOURCE_ACCOUNT>:policy/*": POLICY_LOOKS,
        "<SOURCE_KEY_ARN>": KEY_LOOKS,
    },
    "preflight-destination-identity.json": {
        DESTINATION: BUCKET_LOOKS,
        "<DESTINATION_KEY_ARN>": KEY_LOOKS,
    },
    "run-directory-identity.json": {
        RUNS: {"s3:ListBucket"},
        f"{RUNS}/<RUN_PREFIX>/*": {"s3:GetObject", "s3:PutObject"},
    },
    "run-directory-identity-kms.json": {"<RUN_KEY_ARN>": {"kms:Decrypt", "kms:GenerateDataKey"}},
    "watch-identity.json": {
        SOURCE: {"s3:GetBucketNotification", "s3:GetReplicationConfiguration", "s3:ListBucket"},
        f"{SOURCE}/*": {"s3:GetObject", "s3:GetObjectVersion"},
        "*": {"cloudwatch:GetMetricData"},
        "<QUEUE_ARN>": {
            "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage",
        },
    },
}  # fmt: skip
RESOURCE_POLICIES = {name for name in EXPECTED if name.endswith("-policy.json")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy file."""

    sid: str
    actions: set[str]
    resource: str
    principal: str
    condition: dict[str, dict[str, object]]


def statements(name: str) -> list[Statement]:
    document = json.loads((FOLDER / name).read_text())
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    found = []
    for raw in document["Statement"]:
        assert raw.keys() <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert raw["Effect"] == "Allow"
        assert len(set(raw["Action"])) == len(raw["Action"])
        found.append(
            Statement(
                sid=raw["Sid"],
                actions=set(raw["Action"]),
                resource=raw["Resource"],
                principal=raw.get("Principal", {}).get("AWS", ""),
                condition=raw.get("Condition", {}),
            )
        )
    return found


def test_each_file_grants_exactly_what_it_should() -> None:
    """If this fails, a policy grants more than copies need, or too little for them to work."""
    granted: dict[str, dict[str, set[str]]] = {}
    for name in FILES:
        for statement in statements(name):
            granted.setdefault(name, {}).setdefault(statement.resource, set()).update(
                statement.actions
            )
    assert granted == EXPECTED


@pytest.mark.parametrize("name", FILES)
def test_no_policy_can_delete_a_version_or_grants_by_wildcard(name: str) -> None:
    """If this fails, a bug of ours, or a stolen role, can destroy data for good."""
    for statement in statements(name):
        assert "s3:DeleteObjectVersion" not in statement.actions
        assert not [action for action in statement.actions if "*" in action]
        if name != "destination-identity-delete-markers.json":
            assert "s3:DeleteObject" not in statement.actions


@pytest.mark.parametrize("name", FILES)
def test_statements_are_bound_to_accounts_keys_and_principals(name: str) -> None:
    """If this fails, a bucket of another owner with the same name can be read or written."""
    for statement in statements(name):
        if not any(action.startswith(("s3:", "kms:")) for action in statement.actions):
            # Named by ARN, the account in it; a metric has none.
            assert statement.resource != "*" or statement.actions == {"cloudwatch:GetMetricData"}
        elif "s3:CreateBucket" in statement.actions:
            assert not statement.condition, "what is not there yet has no account"
        elif statement.actions <= KEY_MANAGEMENT:
            assert statement.resource.endswith("_KEY_ARN>")
        elif any(action.startswith("kms:") for action in statement.actions):
            assert statement.condition.keys() == {"StringEquals", "StringLike"}
            assert "kms:ViaService" in statement.condition["StringEquals"]
            assert statement.resource != "*" or name in RESOURCE_POLICIES
        elif name not in RESOURCE_POLICIES:
            named = [side for side in ("DESTINATION", "RUN") if f"<{side}_" in statement.resource]
            account = named[0] if named else "SOURCE"
            assert statement.condition == {
                "StringEquals": {"aws:ResourceAccount": f"<{account}_ACCOUNT>"}
            }
        principal = "arn:aws:iam::<DESTINATION_ACCOUNT>:role/<DESTINATION_ROLE>"
        assert statement.principal == (principal if name in RESOURCE_POLICIES else "")


def test_every_file_and_placeholder_is_explained() -> None:
    """If this fails, somebody pastes a placeholder, or does not find the policy that they lack."""
    readme = (FOLDER / "README.md").read_text()
    for name in ALL_FILES:
        assert f"`{name}`" in readme
        for placeholder in re.findall(r"<[A-Z_]+>", (FOLDER / name).read_text()):
            assert f"`{placeholder}`" in readme, placeholder
    assert set(re.findall(r"`([\w-]+\.json)`", readme)) == set(ALL_FILES)


def test_the_guard_of_run_directories_refuses_what_no_holder_writes() -> None:
    """If this fails, anybody may write over a lease, or a holder cannot renew its own."""
    document = json.loads((FOLDER / RUN_GUARD).read_text())
    unconditional, plain = document["Statement"]
    assert {each["Effect"] for each in document["Statement"]} == {"Deny"}
    assert (unconditional["Action"], unconditional["Resource"]) == (
        "s3:PutObject",
        f"{RUNS}/<RUN_PREFIX>/*",
    )
    # Both keys absent at once: whoever names one of the two conditions may write.
    assert unconditional["Condition"] == {
        "Null": {"s3:if-match": "true", "s3:if-none-match": "true"}
    }
    assert plain["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert plain["Resource"] == [RUNS, f"{RUNS}/*"]


def test_every_call_that_the_product_makes_is_granted() -> None:
    """If this fails, a run under these policies ends in AccessDenied."""
    granted = {action for name in FILES for one in statements(name) for action in one.actions}
    extras = {*_LOCK_ACTIONS, *_ACL_ACTIONS}
    needed = extras | {
        action
        for actions in (*_BUCKET_ACTIONS.values(), *_OBJECT_ACTIONS.values(), _SOURCE_ACTIONS)
        for action in actions
    }
    assert needed <= granted


def test_nothing_is_granted_that_no_call_needs() -> None:
    """If this fails, people grant rights that nobody uses, because our file says so."""
    granted = {action for name in FILES for one in statements(name) for action in one.actions}
    needed = {
        action
        for actions in (*_BUCKET_ACTIONS.values(), *_OBJECT_ACTIONS.values(), _SOURCE_ACTIONS)
        for action in actions
    } | {action for actions, _ in _ACCOUNT_ACTIONS.values() for action in actions}
    by_s3_itself = {"kms:Decrypt", "kms:GenerateDataKey", "iam:PassRole"}
    extras = {*_LOCK_ACTIONS, *_ACL_ACTIONS}
    assert granted <= needed | by_s3_itself | extras


@pytest.mark.parametrize(
    ("filled", "name"),
    [
        (source_statement(source_bucket="b", account="111122223333"), "source-bucket-policy.json"),
        (source_key_statement(account="111122223333"), "source-kms-key-policy.json"),
    ],
)
def test_the_hints_of_the_product_say_what_the_files_say(filled: str, name: str) -> None:
    """If this fails, a person who follows the hint gets a policy that no test knows."""
    hint = json.loads(filled)
    (same,) = [one for one in statements(name) if one.sid == hint["Sid"]]
    actions = hint["Action"] if isinstance(hint["Action"], list) else [hint["Action"]]
    assert set(actions) == same.actions
    assert hint["Resource"] == same.resource.replace("<SOURCE_BUCKET>", "b")
