"""Who may do what in another account's bucket: UG, access-policy-language-overview, copy-object."""

import json
from collections.abc import Callable

import pytest

from tests.contract.declarations import only, table
from tests.contract.vocabulary import Attributes, Driver, Source, refused

pytestmark = only(
    "sandbox", because="the model leaves policies to its server; the others have one account"
)

STRANGER = "arn:aws:iam::222222222222:root"


def allow(*actions: str, effect: str = "Allow") -> dict[str, object]:
    """A statement for the other account; its resource is filled in later."""
    return {"Effect": effect, "Principal": {"AWS": STRANGER}, "Action": list(actions)}


def set_policy(s3: Driver, bucket: str, *statements: dict[str, object]) -> None:
    """Let the statements be the bucket's policy, for the bucket and its objects."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    whole = [statement | {"Resource": resources} for statement in statements]
    s3.set_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": whole}))


ASKED: dict[str, tuple[str, Callable[[Driver, str], object]]] = {
    "GetObject": ("s3:GetObject", lambda other, bucket: other.get(bucket, "key")),
    "GetObject of a version": (
        "s3:GetObjectVersion",
        lambda other, bucket: other.get(bucket, "key", version_id="null"),
    ),
    "PutObject": ("s3:PutObject", lambda other, bucket: other.put(bucket, "new")),
    "DeleteObject": ("s3:DeleteObject", lambda other, bucket: other.delete(bucket, "key")),
    "ListObjectVersions": (
        "s3:ListBucketVersions",
        lambda other, bucket: other.list_versions(bucket),
    ),
    "ListObjectsV2": ("s3:ListBucket", lambda other, bucket: other.list_objects(bucket)),
    "GetObjectTagging": ("s3:GetObjectTagging", lambda other, bucket: other.tags(bucket, "key")),
    "GetBucketVersioning": (
        "s3:GetBucketVersioning",
        lambda other, bucket: other.versioning(bucket),
    ),
}


@pytest.mark.parametrize("row", table(ASKED))
def test_another_account_needs_the_bucket_policys_leave(
    s3: Driver,
    stranger: Driver,
    bucket: str,
    row: tuple[str, Callable[[Driver, str], object]],
) -> None:
    """If this fails, a missing statement shows only on AWS."""
    action, ask = row
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "key")
    with refused(403, "AccessDenied"):
        ask(stranger, bucket)
    set_policy(s3, bucket, allow(action))
    ask(stranger, bucket)
    set_policy(s3, bucket, allow("s3:*"), allow(action, effect="Deny"))
    with refused(403, "AccessDenied"):
        ask(stranger, bucket)


COPIES = {
    "bytes alone": (("s3:GetObject",), False, True),
    "bytes of a version by the wrong action": (("s3:GetObject",), True, False),
    "bytes of a version": (("s3:GetObjectVersion",), True, True),
    "nothing": (("s3:ListBucket",), False, False),
}


@pytest.mark.parametrize("row", table(COPIES))
def test_a_copy_reads_the_source_as_the_destinations_identity(
    s3: Driver, stranger: Driver, bucket: str, far: str, row: tuple[tuple[str, ...], bool, bool]
) -> None:
    """If this fails, preflight cannot tell which statement a source bucket lacks."""
    actions, is_pinned, is_served = row
    written = s3.put(bucket, "key", b"body")
    set_policy(s3, bucket, allow(*actions))
    version_id = written.version_id if is_pinned else None
    source = Source(bucket=bucket, key="key", version_id=version_id, owner=s3.account_id)
    if is_served:
        stranger.copy(source, far, "key", owner=stranger.account_id)
        assert stranger.get(far, "key")[1] == b"body"
    else:
        with refused(403, "AccessDenied"):
            stranger.copy(source, far, "key", owner=stranger.account_id)
        assert stranger.list_versions(far).entries == ()


def test_a_copy_without_leave_to_read_tags_is_refused_as_a_whole(
    s3: Driver, stranger: Driver, bucket: str, far: str
) -> None:
    """If this fails, copies lose their tags without a word."""
    s3.put(bucket, "key", attributes=Attributes(tags=(("team", "red"),)))
    source = Source(bucket=bucket, key="key")
    set_policy(s3, bucket, allow("s3:GetObject"))
    with refused(403, "AccessDenied"):
        stranger.copy(source, far, "key")
    assert stranger.list_versions(far).entries == ()
    set_policy(s3, bucket, allow("s3:GetObject", "s3:GetObjectTagging"))
    stranger.copy(source, far, "key")
    assert stranger.tags(far, "key") == (("team", "red"),)


def test_only_the_owners_account_sets_a_policy(s3: Driver, stranger: Driver, bucket: str) -> None:
    """If this fails, a stranger lets itself in."""
    set_policy(s3, bucket, allow("s3:*"))
    with refused(405, "MethodNotAllowed"):
        set_policy(stranger, bucket, allow("s3:*"))
