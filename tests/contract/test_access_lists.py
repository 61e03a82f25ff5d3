"""ACLs: canned ones, grants, who owns what is written, and where none are taken."""

from contextlib import suppress
from hashlib import sha256

import pytest

from tests.contract.declarations import differs, only, table
from tests.contract.protection import Grants
from tests.contract.scenes import one_part, source_of
from tests.contract.vocabulary import Attributes, Driver, Refused, refused

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
OURS = only("model", "sandbox", because="canonical user IDs are made up, each server has its own")


def canonical(account_id: str) -> str:
    """The canonical user ID that our sandbox makes up for an account."""
    return sha256(account_id.encode()).hexdigest()


@pytest.fixture
def open_bucket(s3: Driver, bucket: str) -> str:
    """A bucket that takes any ACL."""
    s3.set_ownership(bucket, "ObjectWriter")
    with suppress(Refused):  # who knows no public access block needs none lifted
        s3.allow_public(bucket)
    return bucket


def owner_alone(s3: Driver, bucket: str, key: str = "key") -> bool:
    owner, grants = s3.acl(bucket, key)
    return grants == (("FULL_CONTROL", owner),)


def test_an_object_is_its_owners_alone(s3: Driver, open_bucket: str) -> None:
    """If this fails, an ACL is seen where there is none."""
    s3.put(open_bucket, "key")
    assert owner_alone(s3, open_bucket)


@differs(
    "seaweedfs",
    "keeps no ACL of an object",
    rows=("public-read", "public-read-write", "authenticated-read"),
)
@differs("moto", "lists WRITE first, the owner twice or not at all", rows=("public-read-write",))
@pytest.mark.parametrize(
    ("canned", "more"),
    [
        pytest.param("public-read", (("READ", ALL_USERS),), id="public-read"),
        pytest.param(
            "public-read-write",
            (("READ", ALL_USERS), ("WRITE", ALL_USERS)),
            id="public-read-write",
        ),
        pytest.param("authenticated-read", (("READ", SIGNED_USERS),), id="authenticated-read"),
        pytest.param("bucket-owner-full-control", (), id="bucket-owner-full-control"),
        pytest.param("bucket-owner-read", (), id="bucket-owner-read"),
    ],
)
def test_a_canned_acl_is_told_as_grants(
    s3: Driver, open_bucket: str, canned: str, more: Grants
) -> None:
    """If this fails, what a canned ACL means is read wrongly."""
    s3.put(open_bucket, "key", attributes=Attributes(acl=canned))
    owner, grants = s3.acl(open_bucket, "key")
    assert grants == (("FULL_CONTROL", owner), *more)


@differs("seaweedfs", "keeps no ACL of an object")
def test_grants_are_taken_as_they_are_said(s3: Driver, open_bucket: str) -> None:
    """If this fails, a copy grants its owner more than the source's ACL says."""
    s3.put(open_bucket, "key", attributes=Attributes(grants=(("READ", ALL_USERS),)))
    assert s3.acl(open_bucket, "key")[1] == (("READ", ALL_USERS),)


def test_a_copy_leaves_the_acl_behind(s3: Driver, open_bucket: str) -> None:
    """If this fails, copies are believed to carry what they lose."""
    written = s3.put(open_bucket, "key", attributes=Attributes(acl="public-read"))
    s3.copy(source_of(open_bucket, written), open_bucket, "copy")
    assert owner_alone(s3, open_bucket, "copy")


@differs("seaweedfs", "keeps no ACL of an object")
@pytest.mark.parametrize(
    "said",
    table(
        {
            "canned": Attributes(acl="public-read"),
            "grants": Attributes(grants=(("READ", ALL_USERS), ("READ_ACP", SIGNED_USERS))),
        }
    ),
)
def test_a_copy_says_its_acl_in_the_request(s3: Driver, open_bucket: str, said: Attributes) -> None:
    """If this fails, CopyObject cannot carry an ACL."""
    s3.put(open_bucket, "model", attributes=said)
    written = s3.put(open_bucket, "key")
    s3.copy(source_of(open_bucket, written), open_bucket, "copy", attributes=said)
    assert s3.acl(open_bucket, "copy") == s3.acl(open_bucket, "model")
    assert not owner_alone(s3, open_bucket, "copy")


@differs("seaweedfs", "keeps no ACL of an object")
def test_an_upload_says_its_acl_when_it_begins(s3: Driver, open_bucket: str) -> None:
    """If this fails, large objects cannot carry an ACL."""
    said = Attributes(grants=(("READ", SIGNED_USERS),))
    upload_id = s3.begin(open_bucket, "key", attributes=said)
    part = s3.upload(open_bucket, "key", upload_id, 1, b"body")
    s3.complete(open_bucket, "key", upload_id, [part])
    assert s3.acl(open_bucket, "key")[1] == (("READ", SIGNED_USERS),)


@differs("seaweedfs", "keeps no ACL of an object")
@differs("moto", "keeps of a document what it keeps of no header")
def test_an_acl_is_replaced_as_a_whole(s3: Driver, open_bucket: str) -> None:
    """If this fails, grants pile up, or a document is read otherwise than headers are."""
    s3.put(open_bucket, "key", attributes=Attributes(acl="public-read"))
    s3.put_acl(open_bucket, "key", grants=(("READ", SIGNED_USERS),))
    owner, grants = s3.acl(open_bucket, "key")
    assert grants == (("READ", SIGNED_USERS),)
    lines = (("FULL_CONTROL", owner), ("READ_ACP", ALL_USERS))
    s3.put_acl(open_bucket, "key", document=(owner, lines))
    assert s3.acl(open_bucket, "key") == (owner, lines)
    s3.put_acl(open_bucket, "key", canned="private")
    assert owner_alone(s3, open_bucket)


@differs("seaweedfs", "keeps no ACL of an object")
def test_an_acl_belongs_to_a_version(s3: Driver, open_bucket: str) -> None:
    """If this fails, the ACL of a noncurrent version cannot be read."""
    old = s3.put(open_bucket, "key", attributes=Attributes(acl="public-read"))
    s3.put(open_bucket, "key")
    assert owner_alone(s3, open_bucket)
    assert len(s3.acl(open_bucket, "key", version_id=old.version_id)[1]) == 2


@differs("seaweedfs", "takes ACLs under any ownership")
@differs("moto", "takes ACLs under any ownership")
@pytest.mark.parametrize(
    "said",
    table(
        {
            "canned": Attributes(acl="public-read"),
            "private": Attributes(acl="private"),
            "grants": Attributes(grants=(("READ", ALL_USERS),)),
        }
    ),
)
def test_with_bucket_owner_enforced_no_acl_is_taken(
    s3: Driver, bucket: str, said: Attributes
) -> None:
    """If this fails, a copy with an ACL works here that S3 refuses."""
    with refused(400, "AccessControlListNotSupported"):
        s3.put(bucket, "key", attributes=said)
    written = s3.put(bucket, "key")
    with refused(400, "AccessControlListNotSupported"):
        s3.copy(source_of(bucket, written), bucket, "copy", attributes=said)
    with refused(400, "AccessControlListNotSupported"):
        s3.begin(bucket, "key", attributes=said)
    with refused(400, "AccessControlListNotSupported"):
        s3.put_acl(bucket, "key", canned=said.acl, grants=said.grants)


def test_with_bucket_owner_enforced_its_full_control_is_taken(s3: Driver, bucket: str) -> None:
    """If this fails, clients that always send it are refused."""
    s3.put(bucket, "key", attributes=Attributes(acl="bucket-owner-full-control"))
    assert owner_alone(s3, bucket)


@differs("seaweedfs", "keeps no ACL of an object")
@differs("moto", "shows ACLs under any ownership")
def test_enforcing_hides_what_was_granted_before(s3: Driver, open_bucket: str) -> None:
    """If this fails, an ACL without effect is taken for one with it."""
    s3.put(open_bucket, "key", attributes=Attributes(acl="public-read"))
    s3.set_ownership(open_bucket, "BucketOwnerEnforced")
    assert owner_alone(s3, open_bucket)
    s3.set_ownership(open_bucket, "ObjectWriter")
    assert not owner_alone(s3, open_bucket)


@differs("seaweedfs", "knows no public access block")
@differs("moto", "does not block public ACLs")
@pytest.mark.parametrize(
    "said",
    table(
        {
            "canned": Attributes(acl="public-read"),
            "grants": Attributes(grants=(("READ", SIGNED_USERS),)),
        }
    ),
)
def test_public_acls_are_refused_where_they_are_blocked(
    s3: Driver, bucket: str, said: Attributes
) -> None:
    """If this fails, a copy of a public object works here that S3 refuses in every new bucket."""
    s3.set_ownership(bucket, "ObjectWriter")
    with refused(403, "AccessDenied"):
        s3.put(bucket, "key", attributes=said)


@differs("seaweedfs", "takes any ACL")
@differs(
    "moto", "answers 500 to a canned ACL that it does not know", rows=("an unknown canned one",)
)
@differs("moto", "takes any grantee", rows=("an unknown account", "an unknown group"))
@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(
            Attributes(acl="private", grants=(("READ", ALL_USERS),)),
            "InvalidRequest",
            id="canned and grants",
        ),
        pytest.param(Attributes(acl="mine"), "InvalidArgument", id="an unknown canned one"),
        pytest.param(
            Attributes(grants=(("READ", "0123"),)), "InvalidArgument", id="an unknown account"
        ),
        pytest.param(
            Attributes(grants=(("READ", "http://example.com/group"),)),
            "InvalidArgument",
            id="an unknown group",
        ),
    ],
)
def test_an_acl_that_makes_no_sense_is_refused(
    s3: Driver, open_bucket: str, said: Attributes, code: str
) -> None:
    """If this fails, a write is granted to nobody, or to whom nobody meant."""
    with refused(400, code):
        s3.put(open_bucket, "key", attributes=said)
    assert s3.list_versions(open_bucket).entries == ()


@OURS
def test_a_grant_to_another_account_is_kept(s3: Driver, open_bucket: str, stranger: Driver) -> None:
    """If this fails, grants to accounts do not survive a copy that says them again."""
    grants = (
        ("FULL_CONTROL", canonical(s3.account_id)),
        ("READ", canonical(stranger.account_id)),
    )
    upload_id, parts = one_part(s3, open_bucket, "other")
    s3.complete(open_bucket, "other", upload_id, parts)
    s3.put(open_bucket, "key", attributes=Attributes(grants=grants))
    assert s3.acl(open_bucket, "key") == (canonical(s3.account_id), grants)


@OURS
@pytest.mark.parametrize(
    ("ownership", "canned", "is_owners"),
    [
        pytest.param("ObjectWriter", None, False, id="object writer"),
        pytest.param("ObjectWriter", "bucket-owner-full-control", False, id="writer, shared"),
        pytest.param("BucketOwnerPreferred", None, False, id="preferred"),
        pytest.param("BucketOwnerPreferred", "bucket-owner-full-control", True, id="given away"),
        pytest.param("BucketOwnerEnforced", None, True, id="enforced"),
    ],
)
def test_ownership_decides_whose_a_strangers_write_is(
    s3: Driver, stranger: Driver, far: str, ownership: str, canned: str | None, is_owners: bool
) -> None:
    """If this fails, who owns a copy into another account is not foreseen."""
    stranger.set_ownership(far, ownership)
    stranger.set_policy(
        far,
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": '
        f'{{"AWS": "{s3.account_id}"}}, "Action": "s3:*", "Resource": "arn:aws:s3:::{far}/*"}}]}}',
    )
    s3.put(far, "key", attributes=Attributes(acl=canned))
    owner, grants = stranger.acl(far, "key") if is_owners else s3.acl(far, "key")
    writer, bucket_owner = canonical(s3.account_id), canonical(stranger.account_id)
    assert owner == (bucket_owner if is_owners else writer)
    is_shared = canned is not None or is_owners
    assert (("FULL_CONTROL", bucket_owner) in grants) is is_shared
