"""What an identity of another account sees is not taken for the owner's."""

import pytest

from backfill.model.accounts import Unread
from backfill.preflight.findings import Verdict
from backfill.preflight.mends import mend_of_unread
from tests.unit.preflight.scenery import JOBS_ROLE, OURS, THEIRS, Scenery, trust

STRANGER = "333333333333"


def seen_by_a_stranger() -> Scenery:
    """Return the scenery, looked at from the source side by an identity of a third account."""
    there = Scenery().with_jobs()
    there.source = there.world.account(STRANGER)
    there.source.arn = f"arn:aws:iam::{STRANGER}:root"
    return there


async def test_a_wrong_source_identity_is_not_taken_for_the_owner() -> None:
    """If this fails, preflight asks for another batch role, in an account that owns nothing."""
    wrong = await seen_by_a_stranger().wrong()
    assert wrong["accounts"].verdict is Verdict.CANNOT_TELL
    assert "which account owns the source is not known" in wrong["accounts"].what
    assert wrong["batch-role"].verdict is Verdict.CANNOT_TELL


async def test_a_role_is_looked_up_by_its_name_in_its_own_account_alone() -> None:
    """If this fails, a role of the same name elsewhere is judged, or one that is there created."""
    there = seen_by_a_stranger()
    name = JOBS_ROLE.rpartition("/")[2]
    for account in (THEIRS, STRANGER):
        there.world.add_role(f"arn:aws:iam::{account}:role/{name}", trust("ec2.amazonaws.com"))
    there.ask(batch=there.campaign.batch)
    wrong = await there.wrong()
    found = wrong["batch-role"]
    assert found.verdict is Verdict.CANNOT_TELL
    assert f"no identity here is of account {OURS}" in found.evidence[0]
    assert "batch-role-trust" not in wrong


@pytest.mark.parametrize(
    ("operation", "resource", "action"),
    [
        ("GetBucketPolicy", "arn:aws:s3:::to", "s3:GetBucketPolicy"),
        ("GetBucketReplication", "arn:aws:s3:::to", "s3:GetReplicationConfiguration"),
        ("GetQueueUrl", "arn:aws:sqs:us-east-1:1:q", "sqs:GetQueueUrl"),
        ("GetQueueAttributes", "arn:aws:sqs:us-east-1:1:q", "sqs:GetQueueAttributes"),
        ("GetTopicAttributes", "arn:aws:sns:us-east-1:1:t", "sns:GetTopicAttributes"),
        ("GetPolicy", "arn:aws:lambda:us-east-1:1:function:f", "lambda:GetPolicy"),
        ("GetPolicy", "arn:aws:iam::1:policy/p", "iam:GetPolicy"),
        ("GetRole", "arn:aws:iam::1:role/r", "iam:GetRole"),
        ("GetKeyPolicy", "arn:aws:kms:us-east-1:1:key/k", "kms:GetKeyPolicy"),
    ],
)
def test_what_would_be_allowed_is_an_action_of_the_services_own(
    operation: str, resource: str, action: str
) -> None:
    """If this fails, a person is told to allow an action that does not exist."""
    code = "AuthorizationError" if ":sns:" in resource else "AccessDenied"
    mend = mend_of_unread(Unread(operation=operation, code=code), resource)
    assert mend is not None
    assert mend.statements[0]["Action"] == action


def test_a_role_that_cannot_be_assumed_is_not_mended_by_a_right_to_read() -> None:
    """If this fails, s3:AssumeRole is asked for, which is no action."""
    denied = Unread(operation="AssumeRole", code="AccessDenied")
    assert mend_of_unread(denied, "arn:aws:s3:::from") is None
