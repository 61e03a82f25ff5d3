"""Each permission that replication needs, taken away, gives exactly the code that S3 gives."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.sandbox.model.access_lists import full_control
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.kms import aws_managed_key_arn
from backfill.sandbox.model.operations.buckets import PutBucketVersioningRequest
from backfill.sandbox.model.operations.objects import ReadObjectRequest
from backfill.sandbox.model.values import Encryption, RequestedEncryption, ServerSideEncryption
from backfill.sandbox.model.versions import ObjectVersion
from tests.unit.sandbox.replication.situations import (
    encrypted,
    handed_over,
    locked,
    marked,
    plain,
    with_bucket_keys,
)
from tests.unit.sandbox.replication.two_accounts import (
    BY_KMS,
    FROM,
    REPLICA_KEY,
    ROLE,
    SOURCE_KEY,
    TO,
    WITH_BUCKET_KEY,
    Statement,
    TwoAccounts,
    allow,
    deny,
    document,
    through,
    without,
)

Arrange = Callable[[TwoAccounts], None]


SITUATIONS = (plain, encrypted, with_bucket_keys, locked, handed_over, marked)


@pytest.fixture
def place() -> TwoAccounts:
    return TwoAccounts()


@pytest.mark.parametrize("arrange", SITUATIONS)
def test_the_user_guides_policies_are_enough(place: TwoAccounts, arrange: Arrange) -> None:
    """If this fails, policies that work on AWS do not work here."""
    arrange(place)
    assert place.code() is None
    assert place.advance() == "COMPLETED"


ROLE_LACKS: list[tuple[Arrange, str, str | None]] = [
    (plain, "s3:GetReplicationConfiguration", "SrcBucketReplicationConfigMissing"),
    (plain, "s3:GetObjectVersionForReplication", "SrcGetObjectNotPermitted"),
    (plain, "s3:GetObjectVersionAcl", "SrcGetAclNotPermitted"),
    (plain, "s3:GetObjectVersionTagging", None),
    (plain, "s3:ListBucket", None),
    (plain, "s3:ReplicateObject", "DstPutObjectNotPermitted"),
    (plain, "s3:ReplicateDelete", None),
    (plain, "s3:ObjectOwnerOverrideToBucketOwner", None),
    (plain, "s3:GetObjectRetention", None),
    (plain, "kms:Encrypt", None),
    (locked, "s3:GetObjectRetention", "SrcGetRetentionNotPermitted"),
    (locked, "s3:GetObjectLegalHold", "SrcGetLegalHoldNotPermitted"),
    (handed_over, "s3:ObjectOwnerOverrideToBucketOwner", "DstPutObjectNotPermitted"),
    (marked, "s3:ListBucket", "SrcHeadObjectNotPermitted"),
    (marked, "s3:ReplicateDelete", "DstDelObjNotPermitted"),
    (marked, "s3:ReplicateObject", None),
    (marked, "s3:GetObjectVersionForReplication", None),
    (encrypted, "kms:Decrypt", "SrcGetObjectNotPermitted"),
    (encrypted, "kms:Encrypt", "DstPutObjectNotPermitted"),
    (encrypted, "kms:GenerateDataKey", None),
    (with_bucket_keys, "kms:Encrypt", "DstPutObjectNotPermitted"),
    (with_bucket_keys, "kms:GenerateDataKey", "DstPutObjectNotPermitted"),
]


@pytest.mark.parametrize(("arrange", "action", "code"), ROLE_LACKS)
def test_a_role_without_one_action_fails_by_its_code(
    place: TwoAccounts, arrange: Arrange, action: str, code: str | None
) -> None:
    """If this fails, a policy that lacks an action works here, or one that is enough does not."""
    arrange(place)
    place.role_policy = without(action)(place.role_policy)
    place.settle()
    assert place.code() == code
    assert place.advance() == ("COMPLETED" if code is None else "FAILED")


def test_a_role_that_may_not_read_tags_leaves_them_behind_and_says_nothing(
    place: TwoAccounts,
) -> None:
    """If this fails, the one silent loss of replication is never met before AWS."""
    plain(place)
    place.role_policy = without("s3:GetObjectVersionTagging")(place.role_policy)
    place.settle()
    assert place.advance() == "COMPLETED"
    replica = place.entry(TO)
    assert isinstance(replica, ObjectVersion)
    assert replica.tags == ()


@pytest.mark.parametrize(
    ("arrange", "code"), [(plain, None), (encrypted, "SrcGetObjectNotPermitted")]
)
def test_get_object_version_does_for_what_no_kms_key_encrypts(
    place: TwoAccounts, arrange: Arrange, code: str | None
) -> None:
    """If this fails, the most copied mistake about KMS objects passes here."""
    arrange(place)
    lacking = without("s3:GetObjectVersionForReplication")(place.role_policy)
    place.role_policy = [*lacking, allow(["s3:GetObjectVersion"], f"arn:aws:s3:::{FROM}/*")]
    place.settle()
    assert place.code() == code


BUCKET_POLICY_LACKS = [
    (plain, "s3:ReplicateObject", "DstPutObjectNotPermitted"),
    (plain, "s3:ReplicateDelete", None),
    (marked, "s3:ReplicateDelete", "DstDelObjNotPermitted"),
    (handed_over, "s3:ObjectOwnerOverrideToBucketOwner", "DstPutObjectNotPermitted"),
]


@pytest.mark.parametrize(("arrange", "action", "code"), BUCKET_POLICY_LACKS)
def test_across_accounts_the_bucket_policy_must_allow_too(
    place: TwoAccounts, arrange: Arrange, action: str, code: str | None
) -> None:
    """If this fails, a destination is written to without its owner's word."""
    arrange(place)
    place.bucket_policy = without(action)(place.bucket_policy)
    place.settle()
    assert place.code() == code


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::111111111111:role/replicator",
        "arn:aws:iam::111111111111:role/service-role/replicator2",
        "arn:aws:iam::222222222222:root",
    ],
)
def test_a_role_is_named_with_its_path(place: TwoAccounts, principal: str) -> None:
    """If this fails, a bucket policy that forgets `service-role/` works here."""
    plain(place)
    place.destination_may(
        allow(["s3:ReplicateObject"], f"arn:aws:s3:::{TO}/*", Principal={"AWS": principal})
    )
    assert place.code() == "DstPutObjectNotPermitted"


@pytest.mark.parametrize("principal", ["arn:aws:iam::111111111111:root", "111111111111", "*"])
def test_a_bucket_policy_may_name_the_whole_account(place: TwoAccounts, principal: str) -> None:
    """If this fails, sound policies that trust the account are refused."""
    plain(place)
    place.bucket(TO).public_access_block = None
    place.destination_may(
        allow(["s3:Replicate*"], f"arn:aws:s3:::{TO}/*", Principal={"AWS": principal})
    )
    assert place.code() is None


def everyone(effect: Statement) -> Statement:
    return effect | {"Principal": "*"}


DENIES: list[tuple[str, Statement, str | None]] = [
    ("everything", deny(["s3:*"], f"arn:aws:s3:::{TO}/*"), "DstPutObjectNotPermitted"),
    (
        "what does not come by TLS",
        deny(
            ["s3:*"], f"arn:aws:s3:::{TO}/*", Condition={"Bool": {"aws:SecureTransport": "false"}}
        ),
        None,
    ),
    (
        "what does not come through an endpoint",
        deny(
            ["s3:*"],
            f"arn:aws:s3:::{TO}/*",
            Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
        ),
        "DstPutObjectNotPermitted",
    ),
    (
        "what is not encrypted by KMS, on PutObject alone",
        deny(
            ["s3:PutObject"],
            f"arn:aws:s3:::{TO}/*",
            Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        ),
        None,
    ),
    (
        "what is not encrypted by KMS, on every action",
        deny(
            ["s3:*"],
            f"arn:aws:s3:::{TO}/*",
            Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        ),
        "DstPutObjectNotPermitted",
    ),
    (
        "another account",
        deny(
            ["s3:*"],
            f"arn:aws:s3:::{TO}/*",
            Condition={"StringNotEquals": {"aws:PrincipalAccount": "111111111111"}},
        ),
        None,
    ),
    ("another prefix", deny(["s3:*"], f"arn:aws:s3:::{TO}/private/*"), None),
]


@pytest.mark.parametrize(
    ("statement", "code"), [case[1:] for case in DENIES], ids=[case[0] for case in DENIES]
)
def test_a_deny_at_the_destination_wins_where_it_holds(
    place: TwoAccounts, statement: Statement, code: str | None
) -> None:
    """If this fails, an explicit Deny is not met before AWS, or one that does not hold is."""
    plain(place)
    place.bucket_policy.append(everyone(statement))
    place.settle()
    assert place.code() == code


def test_in_one_account_either_policy_is_enough(place: TwoAccounts) -> None:
    """If this fails, a set-up within one account needs a bucket policy here."""
    plain(place)
    place.bucket(TO).owner_id = "111111111111"
    place.bucket(TO).policy = None
    assert place.code() is None
    place.role_policy = without("s3:ReplicateObject")(place.role_policy)
    role = "service-role/replicator"
    place.sandbox.add_role("source", role, document(place.role_policy))
    assert place.code() == "DstPutObjectNotPermitted"
    own = allow(["s3:ReplicateObject"], f"arn:aws:s3:::{TO}/*", Principal={"AWS": ROLE})
    place.bucket(TO).policy = document([own])
    assert place.code() is None


def suspended(place: TwoAccounts) -> None:
    request = PutBucketVersioningRequest(bucket=TO, status="Suspended")
    place.model.put_bucket_versioning(place.other, request)


def bucket_gone(place: TwoAccounts) -> None:
    del place.world.buckets[TO]


def bucket_of_a_stranger(place: TwoAccounts) -> None:
    place.bucket(TO).owner_id = "333333333333"


def requester_pays(place: TwoAccounts) -> None:
    place.bucket(TO).is_requester_pays = True


def no_lock(place: TwoAccounts) -> None:
    place.bucket(TO).is_object_lock_enabled = False


def foreign_object(place: TwoAccounts) -> None:
    place.bucket(FROM).object_ownership = "ObjectWriter"
    version = place.entry()
    place.bucket(FROM).swap(replace(version, owner_id="333333333333"))


def shared_object(place: TwoAccounts) -> None:
    foreign_object(place)
    version = place.entry()
    assert isinstance(version, ObjectVersion)
    place.bucket(FROM).swap(replace(version, acl=(full_control(place.bucket(FROM).owner_id),)))


def owner_enforced(place: TwoAccounts) -> None:
    foreign_object(place)
    place.bucket(FROM).object_ownership = "BucketOwnerEnforced"


def customer_key(place: TwoAccounts) -> None:
    version = place.entry()
    assert isinstance(version, ObjectVersion)
    sse_c = Encryption(algorithm=ServerSideEncryption.CUSTOMER, customer_key_md5="m")
    place.bucket(FROM).swap(replace(version, encryption=sse_c))


def nobody_trusted(place: TwoAccounts) -> None:
    place.world.roles.put(ROLE, ["batchoperations.s3.amazonaws.com"])


def another_bucket_trusted(place: TwoAccounts) -> None:
    place.world.roles.put_trust(
        ROLE, lambda _service, about: ("aws:SourceArn", "arn:aws:s3:::else") in about
    )


def this_bucket_trusted(place: TwoAccounts) -> None:
    place.world.roles.put_trust(
        ROLE, lambda _service, about: ("aws:SourceArn", f"arn:aws:s3:::{FROM}") in about
    )


def unknown_role(place: TwoAccounts) -> None:
    place.world.roles.strict_accounts = frozenset({"111111111111"})
    place.world.roles._trusts.clear()


STATES: list[tuple[Arrange, Arrange, str | None]] = [
    (plain, suspended, "DstBucketUnversioned"),
    (plain, bucket_gone, "DstBucketNotFound"),
    (handed_over, bucket_of_a_stranger, "DstPutObjectNotPermitted"),
    (plain, requester_pays, "DstPutObjectNotPermitted"),
    (locked, no_lock, "DstBucketObjectLockConfigMissing"),
    (plain, foreign_object, "SrcGetAclNotPermitted"),
    (plain, shared_object, None),
    (plain, owner_enforced, None),
    (plain, customer_key, "DstPutObjectNotPermitted"),
    (plain, nobody_trusted, "AssumeRoleNotPermitted"),
    (plain, another_bucket_trusted, "AssumeRoleNotPermitted"),
    (plain, this_bucket_trusted, None),
    (plain, unknown_role, "AssumeRoleNotPermitted"),
]


@pytest.mark.parametrize(("arrange", "break_it", "code"), STATES)
def test_a_bucket_a_role_or_an_object_in_the_wrong_state_fails_by_its_code(
    place: TwoAccounts, arrange: Arrange, break_it: Arrange, code: str | None
) -> None:
    """If this fails, a broken set-up works here, or a sound one does not."""
    arrange(place)
    break_it(place)
    assert place.code() == code


def key_policy_without(key: str, action: str) -> Arrange:
    def act(place: TwoAccounts) -> None:
        if key == SOURCE_KEY:
            place.source_key_policy = without(action)(place.source_key_policy)
        else:
            place.replica_key_policy = without(action)(place.replica_key_policy)
        place.settle()

    return act


def key_in(where: str, key: str) -> Arrange:
    return lambda place: getattr(place.world.keys, where).add(key)


def rule_key(arn: str) -> Arrange:
    def act(place: TwoAccounts) -> None:
        replication = place.bucket(FROM).replication
        assert replication is not None
        rules = tuple(replace(rule, replica_kms_key=arn) for rule in replication.rules)
        place.bucket(FROM).replication = replace(replication, rules=rules)

    return act


def condition_on(index: int, **values: str) -> Arrange:
    """Narrow the role's statement about a key."""

    def act(place: TwoAccounts) -> None:
        place.role_policy[index] = place.role_policy[index] | {
            "Condition": {"StringLike": {name.replace("__", ":"): v for name, v in values.items()}}
        }
        place.settle()

    return act


def strangers(place: TwoAccounts) -> None:
    place.world.keys.strict_accounts = frozenset({"111111111111", "222222222222"})
    rule_key(REPLICA_KEY + "-that-nobody-made")(place)


AWS_S3_THERE = aws_managed_key_arn(account_id="222222222222", region="eu-west-1")
AWS_S3_OWN = aws_managed_key_arn(account_id="111111111111", region="eu-west-1")
OBJECT_ONLY = f"arn:aws:s3:::{FROM}/*"
BUCKET_ONLY = f"arn:aws:s3:::{FROM}"
CONTEXT = "kms__EncryptionContext__aws__s3__arn"
KEY_STATES: list[tuple[Arrange, Arrange, str | None]] = [
    (encrypted, key_in("disabled", SOURCE_KEY), "SrcKmsKeyInvalidState"),
    (encrypted, key_in("missing", SOURCE_KEY), "SrcKmsKeyInvalidState"),
    (encrypted, key_in("pending", SOURCE_KEY), "SrcKmsKeyInvalidState"),
    (encrypted, key_in("disabled", REPLICA_KEY), "DstKmsKeyInvalidState"),
    (encrypted, key_in("pending", REPLICA_KEY), "DstKmsKeyInvalidState"),
    (encrypted, key_in("missing", REPLICA_KEY), "DstKmsKeyNotFound"),
    (plain, key_in("disabled", REPLICA_KEY), None),
    (encrypted, strangers, "DstKmsKeyNotFound"),
    (encrypted, rule_key(REPLICA_KEY.replace("eu-west-1", "us-east-1")), "DstKmsKeyNotFound"),
    (encrypted, rule_key(AWS_S3_THERE), "DstPutObjectNotPermitted"),
    (
        encrypted,
        rule_key("arn:aws:kms:eu-west-1:222222222222:alias/aws/s3"),
        "DstPutObjectNotPermitted",
    ),
    (encrypted, rule_key(AWS_S3_OWN), None),
    (encrypted, key_policy_without(SOURCE_KEY, "kms:Decrypt"), "SrcGetObjectNotPermitted"),
    (encrypted, key_policy_without(REPLICA_KEY, "kms:Encrypt"), "DstPutObjectNotPermitted"),
    (encrypted, key_policy_without(REPLICA_KEY, "kms:Decrypt"), None),
    (with_bucket_keys, key_policy_without(REPLICA_KEY, "kms:Encrypt"), "DstPutObjectNotPermitted"),
    (with_bucket_keys, key_policy_without(REPLICA_KEY, "kms:Decrypt"), "DstPutObjectNotPermitted"),
    (
        with_bucket_keys,
        key_policy_without(REPLICA_KEY, "kms:GenerateDataKey"),
        "DstPutObjectNotPermitted",
    ),
    (encrypted, condition_on(3, **{CONTEXT: OBJECT_ONLY}), None),
    (encrypted, condition_on(3, **{CONTEXT: BUCKET_ONLY}), "SrcGetObjectNotPermitted"),
    (with_bucket_keys, condition_on(3, **{CONTEXT: BUCKET_ONLY}), None),
    (with_bucket_keys, condition_on(3, **{CONTEXT: OBJECT_ONLY}), "SrcGetObjectNotPermitted"),
    (
        encrypted,
        condition_on(3, kms__ViaService="s3.eu-west-1.amazonaws.com"),
        "SrcGetObjectNotPermitted",
    ),
    (
        encrypted,
        condition_on(4, kms__ViaService="s3.us-east-1.amazonaws.com"),
        "DstPutObjectNotPermitted",
    ),
    (encrypted, condition_on(4, kms__ViaService="s3.eu-west-1.amazonaws.com"), None),
]


@pytest.mark.parametrize(("arrange", "break_it", "code"), KEY_STATES)
def test_a_key_that_cannot_be_used_fails_by_its_code(
    place: TwoAccounts, arrange: Arrange, break_it: Arrange, code: str | None
) -> None:
    """If this fails, a key policy, a key's state or its encryption context is never tried."""
    arrange(place)
    break_it(place)
    assert place.code() == code


def test_a_key_that_nobody_made_asks_for_nothing(place: TwoAccounts) -> None:
    """If this fails, tests about something else must write key policies."""
    encrypted(place)
    place.sandbox.key_policies.clear()
    assert place.code() is None


@pytest.mark.parametrize(
    ("encryption", "context", "may"),
    [
        (BY_KMS, f"arn:aws:s3:::{FROM}/*", True),
        (BY_KMS, f"arn:aws:s3:::{FROM}", False),
        (WITH_BUCKET_KEY, f"arn:aws:s3:::{FROM}", True),
        (WITH_BUCKET_KEY, f"arn:aws:s3:::{FROM}/*", False),
    ],
)
def test_a_readers_encryption_context_is_the_buckets_with_a_bucket_key(
    place: TwoAccounts, encryption: RequestedEncryption, context: str, may: bool
) -> None:
    """If this fails, a reader's policy that works here does not on AWS."""
    place.put(encryption=encryption)
    reader = place.sandbox.add_user(
        "source",
        "reader",
        document(
            [
                allow(["s3:GetObject"], f"arn:aws:s3:::{FROM}/*"),
                allow(["kms:Decrypt"], SOURCE_KEY, Condition=through("us-east-1", context)),
            ]
        ),
    )
    caller = replace(place.own, arn=reader.arn)
    request = ReadObjectRequest(bucket=FROM, key="k")
    if may:
        assert place.model.get_object(caller, request).body == b"body"
    else:
        with pytest.raises(S3Error) as refused:
            place.model.get_object(caller, request)
        assert refused.value.code == "AccessDenied"
