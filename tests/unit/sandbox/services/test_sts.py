"""STS over HTTP with boto3: who may assume a role, and what its session may do."""

from datetime import timedelta

import pytest

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.service import Sandbox
from tests.unit.sandbox.services.acts import (
    A,
    B,
    Client,
    Desk,
    allow,
    policy,
    refused,
    trust,
)

EXTERNAL = {"StringEquals": {"sts:ExternalId": "agreed"}}
ROLE = f"arn:aws:iam::{B}:role/teams/reader"


@pytest.fixture
def worker(desk: Desk) -> Identity:
    """A user of the source account, whom the destination's role `reader` trusts with an ID."""
    user = desk.user("worker", allow("sts:AssumeRole", ROLE))
    iam = desk.client("iam", "destination")
    iam.create_role(
        RoleName="reader",
        Path="/teams/",
        AssumeRolePolicyDocument=trust({"AWS": user.arn}, EXTERNAL),
    )
    iam.put_role_policy(
        RoleName="reader", PolicyName="p", PolicyDocument=policy(allow("s3:ListAllMyBuckets"))
    )
    return user


def assumed(desk: Desk, who: str | Identity, **more: object) -> Identity:
    """The session that AssumeRole gives."""
    request = {"RoleArn": ROLE, "RoleSessionName": "run", "ExternalId": "agreed"} | more
    sts: Client = desk.client("sts", who)
    answer = sts.assume_role(**{k: v for k, v in request.items() if v is not None})
    keys = answer["Credentials"]
    return Identity(
        account_id=B,
        arn=answer["AssumedRoleUser"]["Arn"],
        user_id="",
        access_key_id=keys["AccessKeyId"],
        secret_access_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
    )


def test_a_session_signs_and_may_do_what_its_role_may_do_now(desk: Desk, worker: Identity) -> None:
    """If this fails, --destination-role-arn cannot be tried, or proves nothing."""
    session = assumed(desk, worker)
    who = desk.client("sts", session).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{B}:assumed-role/reader/run"
    assert who["Account"] == B
    s3 = desk.client("s3", session)
    assert s3.list_buckets()["Buckets"] == []
    location = {"LocationConstraint": "eu-west-1"}
    create = {"Bucket": "not-yours", "CreateBucketConfiguration": location}
    assert refused(lambda: s3.create_bucket(**create)) == ("AccessDenied", 403)
    iam = desk.client("iam", "destination")
    iam.put_role_policy(
        RoleName="reader", PolicyName="p", PolicyDocument=policy(allow("s3:CreateBucket"))
    )
    s3.create_bucket(**create)
    assert refused(s3.list_buckets) == ("AccessDenied", 403)
    iam.delete_role_policy(RoleName="reader", PolicyName="p")
    iam.delete_role(RoleName="reader")
    assert refused(s3.list_buckets) == ("AccessDenied", 403)
    iam.create_role(
        RoleName="reader", Path="/teams/", AssumeRolePolicyDocument=trust({"AWS": worker.arn})
    )
    iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=policy(allow("*")))
    assert refused(s3.list_buckets) == ("AccessDenied", 403)  # a session of the one that is gone


@pytest.mark.parametrize("external_id", [None, "guessed"])
def test_a_wrong_external_id_opens_nothing(
    desk: Desk, worker: Identity, external_id: str | None
) -> None:
    """If this fails, the confused deputy is let in."""
    with_ = refused(lambda: assumed(desk, worker, ExternalId=external_id))
    assert with_ == ("AccessDenied", 403)


def test_a_role_is_assumed_only_by_whom_it_trusts_and_who_may(desk: Desk, worker: Identity) -> None:
    """If this fails, a trust policy that shuts the caller out goes unnoticed."""
    stranger = desk.user("stranger", allow("sts:AssumeRole"))
    assert refused(lambda: assumed(desk, stranger)) == ("AccessDenied", 403)
    bare = desk.user("worker", allow("s3:*"))
    assert refused(lambda: assumed(desk, bare)) == ("AccessDenied", 403)
    assert refused(lambda: assumed(desk, "source")) == ("AccessDenied", 403)  # a root never may
    desk.user("worker", allow("sts:AssumeRole", ROLE))
    no_path = ROLE.replace("/teams", "")
    assert refused(lambda: assumed(desk, worker, RoleArn=no_path)) == ("AccessDenied", 403)


def test_within_the_account_the_trust_policy_still_has_to_name_somebody(desk: Desk) -> None:
    """If this fails, administrators assume roles here that AWS does not let them assume."""
    admin = desk.user("admin", allow("*"), account="destination")
    iam = desk.client("iam", "destination")
    iam.create_role(
        RoleName="reader",
        Path="/teams/",
        AssumeRolePolicyDocument=trust({"Service": "s3.amazonaws.com"}),
    )
    assert refused(lambda: assumed(desk, admin)) == ("AccessDenied", 403)
    iam.update_assume_role_policy(RoleName="reader", PolicyDocument=trust({"AWS": B}))
    assert assumed(desk, admin).arn.endswith("assumed-role/reader/run")
    assert refused(lambda: assumed(desk, "destination")) == ("AccessDenied", 403)  # no root may


@pytest.mark.parametrize(
    "wrong",
    [
        {"RoleSessionName": "a b"},
        {"DurationSeconds": 50_000},
        {"DurationSeconds": 3601},
        {"ExternalId": "no spaces"},
        {"Policy": policy(allow("*"))},
    ],
)
def test_what_sts_would_not_take_is_refused(
    desk: Desk, worker: Identity, wrong: dict[str, object]
) -> None:
    """If this fails, a session name or duration is accepted that AWS refuses."""
    assert refused(lambda: assumed(desk, worker, **wrong)) == ("ValidationError", 400)


def test_an_expired_session_opens_nothing(desk: Desk, worker: Identity) -> None:
    """If this fails, a run that outlives its session is never tried."""
    clock = desk.sandbox.clock
    clock.offset = -timedelta(minutes=10)  # so that signatures hold before and after
    session = assumed(desk, worker, DurationSeconds=900)
    assert desk.client("s3", session).list_buckets()["Buckets"] == []
    clock.offset = timedelta(minutes=10)
    assert refused(lambda: desk.client("s3", session).list_buckets()) == ("ExpiredToken", 400)
    sts, kms = desk.client("sts", session), desk.client("kms", session)
    assert refused(sts.get_caller_identity) == ("ExpiredToken", 403)
    assert refused(kms.list_keys) == ("ExpiredTokenException", 400)


def test_a_session_without_its_token_opens_nothing(desk: Desk, worker: Identity) -> None:
    """If this fails, temporary keys are used as if they were lasting."""
    session = assumed(desk, worker)
    bare = Identity(
        account_id=B,
        arn=session.arn,
        user_id="",
        access_key_id=session.access_key_id,
        secret_access_key=session.secret_access_key,
    )
    assert refused(lambda: desk.client("s3", bare).list_buckets()) == ("InvalidToken", 400)


def test_a_new_role_is_not_seen_before_it_has_settled() -> None:
    """If this fails, setup need not wait for IAM here, and fails on AWS."""
    with Sandbox(iam_settling_s=300) as sandbox:
        desk = Desk(sandbox)
        user = desk.user("worker", allow("sts:AssumeRole"), account="destination")
        iam = desk.client("iam", "destination")
        trusting = trust({"AWS": user.arn}, EXTERNAL)
        iam.create_role(RoleName="reader", Path="/teams/", AssumeRolePolicyDocument=trusting)
        assert iam.get_role(RoleName="reader")["Role"]["Arn"] == ROLE
        s3 = desk.client("s3")
        s3.create_bucket(Bucket="a-bucket")
        statement = allow("s3:*", "arn:aws:s3:::a-bucket", Principal={"AWS": ROLE})
        document = {"Bucket": "a-bucket", "Policy": policy(statement)}
        assert refused(lambda: s3.put_bucket_policy(**document)) == ("MalformedPolicy", 400)
        assert refused(lambda: assumed(desk, user)) == ("AccessDenied", 403)
        sandbox.clock.offset = timedelta(minutes=6)
        s3.put_bucket_policy(**document)
        assert assumed(desk, user).account_id == B
        iam.update_assume_role_policy(RoleName="reader", PolicyDocument=trust({"AWS": A}))
        assert assumed(desk, user).account_id == B  # the old policy holds a while longer
        sandbox.clock.offset = timedelta(minutes=12)
        assert refused(lambda: assumed(desk, user)) == ("AccessDenied", 403)
        desk.close()
