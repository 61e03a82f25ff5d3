"""KMS over HTTP with boto3: keys, their policies and states, and what S3 makes of them."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.unit.sandbox.services.acts import A, B, Client, Desk, allow, policy, refused

ROOT_MAY = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{A}:root"})


def under(arn: str) -> dict[str, str]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}


@pytest.fixture
def kms(desk: Desk) -> Client:
    return desk.client("kms")


@pytest.fixture
def key(kms: Client) -> str:
    """The ARN of a key with KMS's default policy."""
    return str(kms.create_key(Description="for tests")["KeyMetadata"]["Arn"])


@pytest.fixture
def s3(desk: Desk, key: str) -> Client:
    """A client with a bucket `b-1` in it, and `k` in that under the key."""
    client = desk.client("s3")
    client.create_bucket(Bucket="b-1")
    client.put_object(Bucket="b-1", Key="k", Body=b"x", **under(key))
    return client


def test_a_key_is_known_by_id_arn_and_alias(kms: Client, key: str) -> None:
    """If this fails, preflight does not find the key that a rule names."""
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    names = (key, key.rpartition("/")[2], "alias/mine", key.rpartition("key/")[0] + "alias/mine")
    found = [kms.describe_key(KeyId=name)["KeyMetadata"] for name in names]
    assert {each["Arn"] for each in found} == {key}
    assert (found[0]["KeyState"], found[0]["KeyManager"]) == ("Enabled", "CUSTOMER")
    assert [each["AliasName"] for each in kms.list_aliases(KeyId=key)["Aliases"]] == ["alias/mine"]
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyManager"] == "AWS"
    assert kms.get_key_policy(KeyId=key)["PolicyName"] == "default"


def test_an_alias_works_for_s3_and_is_told_as_its_key(kms: Client, s3: Client, key: str) -> None:
    """If this fails, an object's key is not the one that KMS knows."""
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    s3.put_object(Bucket="b-1", Key="aliased", Body=b"x", **under("alias/mine"))
    assert s3.head_object(Bucket="b-1", Key="aliased")["SSEKMSKeyId"] == key


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda kms, key: kms.disable_key(KeyId=key), "KMS.DisabledException"),
        (lambda kms, key: kms.schedule_key_deletion(KeyId=key), "KMS.KMSInvalidStateException"),
    ],
)
def test_a_key_that_does_not_work_fails_reads_and_writes(
    kms: Client, s3: Client, key: str, act: Callable[[Client, str], object], code: str
) -> None:
    """If this fails, a disabled key is found out by the first failed run only."""
    act(kms, key)
    assert refused(lambda: s3.get_object(Bucket="b-1", Key="k")) == (code, 400)
    assert refused(lambda: s3.put_object(Bucket="b-1", Key="n", **under(key))) == (code, 400)
    if "Invalid" in code:
        kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket="b-1", Key="k")["Body"].read() == b"x"


def test_a_deleted_key_is_gone_when_its_time_has_come(
    desk: Desk, kms: Client, s3: Client, key: str
) -> None:
    """If this fails, objects under a deleted key look readable."""
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert refused(lambda: kms.enable_key(KeyId=key)) == ("KMSInvalidStateException", 400)
    with desk.sandbox.held():
        desk.sandbox.clock.offset = timedelta(days=8)
        desk.sandbox.advance()
        desk.sandbox.clock.offset = timedelta()
    assert refused(lambda: kms.describe_key(KeyId=key)) == ("NotFoundException", 400)
    assert refused(lambda: s3.get_object(Bucket="b-1", Key="k"))[0] == "KMS.NotFoundException"


def test_a_key_policy_decides_who_else_may_use_the_key(
    desk: Desk, kms: Client, s3: Client, key: str
) -> None:
    """If this fails, the destination reads replicas here that it cannot decrypt on AWS."""
    reader = desk.user("reader", allow(["s3:*", "kms:*"]), account="destination")
    other = allow("s3:GetObject", "arn:aws:s3:::b-1/*", Principal={"AWS": reader.arn})
    s3.put_bucket_policy(Bucket="b-1", Policy=policy(other))
    theirs = desk.client("s3", reader, "us-east-1")
    their_kms = desk.client("kms", reader, "us-east-1")
    assert refused(lambda: theirs.get_object(Bucket="b-1", Key="k")) == ("AccessDenied", 403)
    assert refused(lambda: their_kms.describe_key(KeyId=key)) == ("AccessDeniedException", 400)
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    lets = allow("kms:Decrypt", Principal={"AWS": B}, Condition=through_s3)
    shows = allow("kms:DescribeKey", Principal={"AWS": B})
    kms.put_key_policy(KeyId=key, Policy=policy(ROOT_MAY, lets, shows))
    assert theirs.get_object(Bucket="b-1", Key="k")["Body"].read() == b"x"
    assert their_kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    assert refused(lambda: their_kms.get_key_policy(KeyId=key)) == ("AccessDeniedException", 400)


NOBODY = policy(allow("kms:*", Principal={"AWS": B}))
STRANGER = policy(ROOT_MAY, allow("kms:*", Principal={"AWS": f"arn:aws:iam::{A}:role/none"}))


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda kms, key: kms.put_key_policy(KeyId=key, Policy="{"), "MalformedPolicyDocument"),
        (lambda kms, key: kms.put_key_policy(KeyId=key, Policy=NOBODY), "MalformedPolicyDocument"),
        (
            lambda kms, key: kms.put_key_policy(KeyId=key, Policy=STRANGER),
            "MalformedPolicyDocument",
        ),
        (lambda kms, _: kms.create_key(Policy=NOBODY), "MalformedPolicyDocument"),
        (lambda kms, key: kms.describe_key(KeyId=key[:-3] + "000"), "NotFound"),
        (lambda kms, key: kms.cancel_key_deletion(KeyId=key), "KMSInvalidState"),
        (lambda kms, key: kms.create_alias(AliasName="mine", TargetKeyId=key), "InvalidAliasName"),
        (
            lambda kms, key: kms.create_alias(AliasName="alias/aws/x", TargetKeyId=key),
            "InvalidAliasName",
        ),
        (lambda kms, _: kms.disable_key(KeyId="alias/aws/s3"), "AccessDenied"),
        (lambda kms, key: kms.get_key_policy(KeyId=key, PolicyName="other"), "NotFound"),
    ],
)
def test_what_kms_would_refuse_is_refused(
    kms: Client, key: str, act: Callable[[Client, str], object], code: str
) -> None:
    """If this fails, setup writes a key policy here that KMS does not take."""
    assert refused(lambda: act(kms, key)) == (f"{code}Exception", 400)


def test_a_policy_that_locks_out_is_taken_only_on_demand(kms: Client, key: str) -> None:
    """If this fails, the lockout check cannot be bypassed, or nobody is locked out."""
    kms.put_key_policy(KeyId=key, Policy=NOBODY, BypassPolicyLockoutSafetyCheck=True)
    assert refused(lambda: kms.get_key_policy(KeyId=key)) == ("AccessDeniedException", 400)


def test_keys_that_nobody_made_do_not_exist_in_strict_accounts(s3: Client) -> None:
    """If this fails, a typo in a key's ARN is found on AWS only."""
    made_up = f"arn:aws:kms:us-east-1:{A}:key/made-up"
    put = refused(lambda: s3.put_object(Bucket="b-1", Key="n", **under(made_up)))
    assert put == ("KMS.NotFoundException", 400)
    s3.put_object(Bucket="b-1", Key="n", ServerSideEncryption="aws:kms")  # aws/s3 is always there


def test_a_key_that_was_given_a_policy_in_process_is_shown(desk: Desk, kms: Client) -> None:
    """If this fails, preflight does not see the keys of worlds that tests make."""
    arn = f"arn:aws:kms:us-east-1:{A}:key/given"
    with desk.sandbox.held():
        desk.sandbox.key_policies[arn] = policy(ROOT_MAY)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"
    assert json.loads(kms.get_key_policy(KeyId=arn)["Policy"]) == json.loads(policy(ROOT_MAY))
    s3 = desk.client("s3")
    s3.create_bucket(Bucket="b-2")
    assert s3.put_object(Bucket="b-2", Key="k", **under(arn))["SSEKMSKeyId"] == arn
