"""Who may not: signatures, clocks, Regions, accounts and policies, with raw bytes on a socket."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.authorization.policies import identity_policy
from backfill.sandbox.service import Sandbox
from tests.wire.sandbox.conftest import Place
from tests.wire.sandbox.raw_client import RawS3

SOURCE_ID, DESTINATION_ID = "111111111111", "222222222222"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
        ({"access_key": "AKIANOBODY"}, 403, "InvalidAccessKeyId"),
        ({"token": "made-up"}, 400, "InvalidToken"),
        ({"service": "sts"}, 400, "AuthorizationHeaderMalformed"),
        ({"region": "us-west-2"}, 400, "AuthorizationHeaderMalformed"),
        ({"now": -timedelta(minutes=16)}, 403, "RequestTimeTooSkewed"),
        ({"now": timedelta(minutes=20)}, 403, "RequestTimeTooSkewed"),
    ],
)
def test_a_request_that_is_not_signed_right_is_refused(
    place: Place, change: dict[str, object], status: int, code: str
) -> None:
    """If this fails, the sandbox proves nothing about credentials, clocks and Regions."""
    place.put("k")
    if isinstance(skew := change.get("now"), timedelta):
        # From the moment of asking: these cases were collected minutes ago.
        change = {"now": datetime.now(UTC) + skew}
    with replace(place.source, _socket=None, **change) as client:  # type: ignore[arg-type] # a table
        answer = client.ask("GET", f"/{place.source_bucket}/k")
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["x-amz-request-id"] == answer.element("RequestId")
    assert answer.element("Resource") == f"/{place.source_bucket}/k"


def test_a_body_other_than_the_signed_one_is_refused(place: Place) -> None:
    """If this fails, a body changed on the way is stored."""
    path = f"/{place.source_bucket}/k"
    answer = place.source.ask("PUT", path, body=b"changed", payload_hash="0" * 64)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    unsigned = place.source.ask("PUT", path, body=b"changed", payload_hash="UNSIGNED-PAYLOAD")
    assert unsigned.status == 200


def test_anonymous_requests_are_denied_until_a_policy_allows_them(place: Place) -> None:
    """If this fails, whoever finds the port reads everything, or public buckets do not work."""
    place.put("k")
    path = f"/{place.source_bucket}/k"
    assert place.source.ask("GET", path, is_signed=False).code == "AccessDenied"
    bucket = f"/{place.source_bucket}"
    assert place.source.ask("DELETE", bucket, "publicAccessBlock").status == 204
    put_policy(place, "*", ["s3:GetObject"])
    assert place.source.ask("GET", path, is_signed=False).body == b"body"
    assert place.source.ask("PUT", path, is_signed=False).code == "AccessDenied"


def put_policy(
    place: Place, principal: object, actions: list[str], effect: str = "Allow", **more: object
) -> None:
    arn = f"arn:aws:s3:::{place.source_bucket}"
    statement = {
        "Effect": effect,
        "Principal": principal,
        "Action": actions,
        "Resource": [arn, f"{arn}/*"],
    } | more
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    answer = place.source.ask("PUT", f"/{place.source_bucket}", "policy", body=document)
    assert answer.status == 204, answer.body


def cross_account_copy(place: Place) -> tuple[int, str]:
    answer = place.destination.ask(
        "PUT",
        f"/{place.destination_bucket}/k",
        headers={"x-amz-copy-source": f"{place.source_bucket}/k"},
    )
    return answer.status, answer.code


def test_the_other_account_reads_nothing_without_a_policy(place: Place) -> None:
    """If this fails, a missing bucket policy statement is found out only on AWS."""
    place.put("k", x_amz_tagging="a=b")
    assert cross_account_copy(place) == (403, "AccessDenied")
    put_policy(place, {"AWS": DESTINATION_ID}, ["s3:GetObject"])
    assert cross_account_copy(place) == (403, "AccessDenied"), "tags need s3:GetObjectTagging"
    put_policy(place, {"AWS": DESTINATION_ID}, ["s3:GetObject", "s3:GetObjectTagging"])
    assert cross_account_copy(place) == (200, "")
    put_policy(place, {"AWS": DESTINATION_ID}, ["s3:*"], "Deny")
    assert cross_account_copy(place) == (403, "AccessDenied")


def test_a_copy_goes_to_the_destination_region_whatever_the_source_region(place: Place) -> None:
    """If this fails, cross-Region copies are refused for the source's Region."""
    place.put("k")
    put_policy(place, {"AWS": DESTINATION_ID}, ["s3:GetObject*"])
    assert cross_account_copy(place) == (200, "")


def identity(sandbox: Sandbox, name: str, *statements: Mapping[str, object]) -> RawS3:
    """A client of a user of the source account with that policy."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    user = sandbox.add_user("source", name, policy)
    return RawS3(
        port=sandbox.port,
        access_key=user.access_key_id,
        secret=user.secret_access_key,
        region="us-east-1",
    )


def test_a_missing_key_is_403_to_those_who_may_not_list(place: Place) -> None:
    """If this fails, a deleted version is counted as denied, or a denied one as deleted."""
    arn = f"arn:aws:s3:::{place.source_bucket}"
    reading = {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": f"{arn}/*"}
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn}
    path = f"/{place.source_bucket}/missing"
    with identity(place.sandbox, "reader", reading) as reader:
        assert reader.ask("GET", path).code == "AccessDenied"
        assert reader.ask("HEAD", path).status == 403
    with identity(place.sandbox, "lister", reading, listing) as lister:
        assert lister.ask("GET", path).code == "NoSuchKey"
        assert lister.ask("HEAD", path).status == 404


def test_a_user_may_do_what_its_policy_says_and_no_more(place: Place) -> None:
    """If this fails, least privilege cannot be proven here."""
    arn = f"arn:aws:s3:::{place.source_bucket}/*"
    writing = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": arn}
    with identity(place.sandbox, "writer", writing) as writer:
        path = f"/{place.source_bucket}/k"
        assert writer.ask("PUT", path, body=b"x").status == 200
        assert writer.ask("GET", path).code == "AccessDenied"
        assert writer.ask("DELETE", path).code == "AccessDenied"
        tagged = writer.ask("PUT", path, headers={"x-amz-tagging": "a=b"}, body=b"x")
        assert tagged.code == "AccessDenied"
        listing = writer.ask("GET", f"/{place.source_bucket}", "versions")
        assert listing.code == "AccessDenied"


def test_a_policy_can_demand_conditional_writes(place: Place) -> None:
    """If this fails, the guard against unconditional writes is not enforced here."""
    put_policy(
        place,
        "*",
        ["s3:PutObject"],
        "Deny",
        Condition={"Null": {"s3:if-none-match": "true", "s3:if-match": "true"}},
    )
    path = f"/{place.source_bucket}/k"
    assert place.source.ask("PUT", path, body=b"x").code == "AccessDenied"
    created = place.source.ask("PUT", path, headers={"if-none-match": "*"}, body=b"x")
    assert created.status == 200


def test_an_unknown_bucket_is_named(place: Place) -> None:
    """If this fails, a typo in the bucket reads as missing permission."""
    answer = place.source.ask("GET", "/no-such-bucket-here/k")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")
    assert answer.element("BucketName") == "no-such-bucket-here"
    head = place.source.ask("HEAD", "/no-such-bucket-here")
    assert (head.status, head.body) == (404, b"")


def test_a_wrong_region_is_answered_with_the_right_one(place: Place) -> None:
    """If this fails, a client signed for another Region is served, which AWS never does."""
    with replace(place.source, _socket=None, region="eu-west-1") as elsewhere:
        answer = elsewhere.ask("GET", f"/{place.source_bucket}", "list-type=2")
        head = elsewhere.ask("HEAD", f"/{place.source_bucket}")
    assert (answer.status, answer.code) == (301, "PermanentRedirect")
    assert answer.headers["x-amz-bucket-region"] == "us-east-1"
    assert answer.element("Endpoint") == f"{place.source_bucket}.s3.amazonaws.com"
    assert (head.status, head.headers["x-amz-bucket-region"]) == (301, "us-east-1")
    with replace(place.destination, _socket=None, region="us-east-1") as global_:
        answer = global_.ask("GET", f"/{place.destination_bucket}", "list-type=2")
        head = global_.ask("HEAD", f"/{place.destination_bucket}")
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
    assert answer.element("Region") == "eu-west-1"
    assert (head.status, head.headers["x-amz-bucket-region"]) == (400, "eu-west-1")


def test_a_bucket_is_made_in_the_region_of_the_endpoint(place: Place) -> None:
    """If this fails, a bucket lands in another Region than it says."""
    answer = place.destination.ask("PUT", "/nowhere-in-particular")
    assert (answer.status, answer.code) == (400, "IllegalLocationConstraintException")
    taken = place.destination.ask(
        "PUT",
        f"/{place.source_bucket}",
        body=b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
        b"</CreateBucketConfiguration>",
    )
    assert (taken.status, taken.code) == (409, "BucketAlreadyExists")


FORM = {"content-type": "application/x-www-form-urlencoded"}
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"


def test_sts_says_who_signs(place: Place) -> None:
    """If this fails, expected owners cannot be found out."""
    with replace(place.destination, _socket=None, service="sts") as client:
        answer = client.ask("POST", "/", headers=FORM, body=WHO)
        wrong = client.ask("POST", "/", headers=FORM, body=b"Action=DecodeAll&Version=2011-06-15")
    assert answer.status == 200
    assert answer.element("Account") == DESTINATION_ID
    assert answer.element("Arn") == f"arn:aws:iam::{DESTINATION_ID}:root"
    assert b'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"' in answer.body
    assert (wrong.status, wrong.code) == (400, "InvalidAction")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"access_key": "AKIANOBODY"}, "InvalidClientTokenId"),
        ({"service": "s3"}, "SignatureDoesNotMatch"),
        ({"region": "us-west-2"}, "SignatureDoesNotMatch"),
    ],
)
def test_sts_refuses_in_its_own_words(place: Place, change: dict[str, str], code: str) -> None:
    """If this fails, the product's credential hints are written for codes that never come."""
    client = RawS3(
        port=place.source.port,
        access_key=change.get("access_key", place.source.access_key),
        secret=change.get("secret", place.source.secret),
        region=change.get("region", "us-east-1"),
        service=change.get("service", "sts"),
    )
    with client:
        answer = client.ask("POST", "/", headers=FORM, body=WHO)
    assert (answer.status, answer.code) == (403, code)
    assert answer.element("Type") == "Sender"


def test_a_session_needs_its_token_and_ends(place: Place) -> None:
    """If this fails, expired credentials go on working."""
    sandbox = place.sandbox
    session = Identity(
        account_id=SOURCE_ID,
        arn=f"arn:aws:sts::{SOURCE_ID}:assumed-role/copier/run",
        role_arn=f"arn:aws:iam::{SOURCE_ID}:role/copier",
        user_id="AROA:run",
        access_key_id="ASIASESSION",
        secret_access_key="session-secret",
        session_token="session-token",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        policies=(
            identity_policy(
                '{"Version": "2012-10-17", "Statement": '
                '{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
            ),
        ),
    )
    sandbox.directory.add(session)
    client = RawS3(
        port=sandbox.port,
        access_key="ASIASESSION",
        secret="session-secret",
        region="us-east-1",
        token="session-token",
    )
    with client:
        assert client.ask("GET", f"/{place.source_bucket}").status == 200
        client.token = None
        assert client.ask("GET", f"/{place.source_bucket}").code == "InvalidToken"
        client.token = "session-token"
        sandbox.directory.add(replace(session, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        assert client.ask("GET", f"/{place.source_bucket}").code == "ExpiredToken"
