"""Bucket policies: who may put one, how large, how public; and the guard against overwriting."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.sandbox.documents.conftest import Place, client, code_of

EVERYBODY: dict[str, object] = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}


def everybody(place: Place, **more: object) -> dict[str, object]:
    return EVERYBODY | {"Resource": f"arn:aws:s3:::{place.bucket}/*"} | more


PUBLIC: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"Principal": {"AWS": "*"}}, True),
    ({"Effect": "Deny"}, False),
    ({"Principal": {"AWS": "arn:aws:iam::222222222222:root"}}, False),
    ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
    ({"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}, False),
    ({"Condition": {"StringLike": {"aws:SourceArn": "arn:aws:s3:::*"}}}, True),
    ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
]


@pytest.mark.parametrize(("more", "is_public"), PUBLIC)
def test_a_public_policy_is_blocked_until_the_block_is_taken_away(
    place: Place, more: dict[str, Any], is_public: bool
) -> None:
    """If this fails, a policy that AWS blocks by default can be put here."""
    statement = everybody(place, **more)
    if is_public:
        assert code_of(lambda: place.allow(statement)) == (403, "AccessDenied")
        place.own.delete_public_access_block(Bucket=place.bucket)
    place.allow(statement)
    found = place.own.get_bucket_policy_status(Bucket=place.bucket)
    assert found["PolicyStatus"]["IsPublic"] is is_public


def test_only_the_owning_account_manages_a_policy(place: Place) -> None:
    """If this fails, setup puts the destination's policy with the source's credentials."""
    theirs = {"Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "s3:*"}
    statement = everybody(place, **theirs, Resource=f"arn:aws:s3:::{place.bucket}")
    place.allow(statement)
    here = {"Bucket": place.bucket}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    calls: list[Callable[[], object]] = [
        lambda: place.other.get_bucket_policy(**here),
        lambda: place.other.delete_bucket_policy(**here),
        lambda: place.other.put_bucket_policy(**here, Policy=policy),
    ]
    for call in calls:
        assert code_of(call) == (405, "MethodNotAllowed")


def test_a_policy_has_at_most_20_kilobytes(place: Place) -> None:
    """If this fails, merging statements outgrows S3's limit only on AWS."""
    place.allow(everybody(place, Effect="Deny", Sid="x" * 20_000))
    too_large = everybody(place, Effect="Deny", Sid="x" * 20_500)
    assert code_of(lambda: place.allow(too_large))[0] == 400


def test_guests_of_a_requester_pays_bucket_say_that_they_pay(place: Place) -> None:
    """If this fails, a copy out of such a bucket works here and is refused by AWS."""
    theirs = {"Principal": {"AWS": "arn:aws:iam::222222222222:root"}}
    place.allow(everybody(place, **theirs))
    where = {"Bucket": place.bucket, "Key": "k"}
    place.own.put_object(**where, Body=b"b")
    place.other.get_object(**where)
    place.own.put_bucket_request_payment(
        Bucket=place.bucket, RequestPaymentConfiguration={"Payer": "Requester"}
    )
    assert code_of(lambda: place.other.get_object(**where)) == (403, "AccessDenied")
    place.other.get_object(**where, RequestPayer="requester")
    place.own.get_object(**where)


def guard(place: Place) -> dict[str, object]:
    """Nobody overwrites unconditionally; creation and parts of uploads are exempt."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{place.bucket}/*",
        "Condition": {
            "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    }


def test_the_guard_lets_only_conditional_writes_through(place: Place) -> None:
    """If this fails, the guard that setup offers shuts writers out, or lets them overwrite."""
    place.allow(guard(place))
    where = {"Bucket": place.bucket, "Key": "k"}
    source = {"Bucket": place.bucket, "Key": "k"}
    denied = (403, "AccessDenied")
    assert code_of(lambda: place.own.put_object(**where, Body=b"b")) == denied
    etag = place.own.put_object(**where, Body=b"b", IfNoneMatch="*")["ETag"]
    place.own.put_object(**where, Body=b"c", IfMatch=etag)
    copy = {"Bucket": place.bucket, "Key": "copy", "CopySource": source}
    assert code_of(lambda: place.own.copy_object(**copy)) == denied
    place.own.copy_object(**copy, IfNoneMatch="*")


def test_the_guard_holds_for_uploads_at_their_completion_alone(place: Place) -> None:
    """If this fails, multipart uploads cannot begin under the guard, or end around it."""
    place.allow(guard(place))
    where = {"Bucket": place.bucket, "Key": "large"}
    upload = {**where, "UploadId": place.own.create_multipart_upload(**where)["UploadId"]}
    part = place.own.upload_part(**upload, PartNumber=1, Body=b"b")
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    complete = place.own.complete_multipart_upload
    assert code_of(lambda: complete(**upload, **parts)) == (403, "AccessDenied")
    complete(**upload, **parts, IfNoneMatch="*")


def test_who_puts_a_replication_configuration_must_be_allowed_to_pass_its_role(
    place: Place,
) -> None:
    """If this fails, setup's policy without iam:PassRole works here."""
    role = "arn:aws:iam::111111111111:role/replicator"
    target = f"{place.bucket}-there"
    place.own.create_bucket(Bucket=target)
    place.own.put_bucket_versioning(Bucket=target, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "ID": "r",
        "Status": "Enabled",
        "Prefix": "",
        "Destination": {"Bucket": f"arn:aws:s3:::{target}"},
    }

    def configured_by(*actions: str, under: str = role) -> Callable[[], object]:
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        user = place.sandbox.add_user("source", f"setter-{len(actions)}", document)
        return lambda: client(place.sandbox, user).put_bucket_replication(
            Bucket=place.bucket, ReplicationConfiguration={"Role": under, "Rules": [rule]}
        )

    only = "s3:PutReplicationConfiguration"
    assert code_of(configured_by(only)) == (403, "AccessDenied")
    elsewhere = role.replace("111111111111", "222222222222")
    assert code_of(configured_by(only, "iam:PassRole", under=elsewhere)) == (403, "AccessDenied")
    configured_by(only, "iam:PassRole")()
