"""ACL, Object Lock and SSE-C headers as they stand on the wire: what no SDK would send, refused."""

import base64
from hashlib import md5

import pytest

from tests.wire.sandbox.conftest import Place
from tests.wire.sandbox.raw_client import RawAnswer

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
KEY = base64.b64encode(b"k" * 32).decode()
KEY_MD5 = base64.b64encode(md5(b"k" * 32, usedforsecurity=False).digest()).decode()
SSE_C = "x-amz-server-side-encryption-customer-"
CONTROLS = (
    "<OwnershipControls><Rule><ObjectOwnership>{0}</ObjectOwnership></Rule></OwnershipControls>"
)


@pytest.fixture(name="path")
def path_of_an_open_object(place: Place) -> str:
    """An object in a bucket that takes any ACL."""
    bucket = f"/{place.source_bucket}"
    body = CONTROLS.format("ObjectWriter").encode()
    assert place.source.ask("PUT", bucket, "ownershipControls", body=body).status == 200
    assert place.source.ask("DELETE", bucket, "publicAccessBlock").status == 204
    place.put("k")
    return f"{bucket}/k"


def put_acl(place: Place, path: str, body: str = "", **headers: str) -> RawAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return place.source.ask("PUT", path, "acl", headers=named, body=body.encode())


def document(owner: str | None, *lines: str) -> str:
    said = f"<Owner><ID>{owner}</ID></Owner>" if owner else ""
    grants = "".join(f"<Grant>{line}</Grant>" for line in lines)
    inner = f"<AccessControlList>{grants}</AccessControlList>"
    return f"<AccessControlPolicy>{said}{inner}</AccessControlPolicy>"


def test_grants_are_read_with_and_without_quotes(place: Place, path: str) -> None:
    """If this fails, grants that S3 takes from the aws cli are refused, or half are lost."""
    signed = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
    said = f'uri="{ALL_USERS}" , URI={signed}'
    assert put_acl(place, path, x_amz_grant_read=said).status == 200
    told = place.source.ask("GET", path, "acl")
    assert told.body.count(b"<Permission>READ</Permission>") == 2
    assert ALL_USERS.encode() in told.body
    assert signed.encode() in told.body


@pytest.mark.parametrize("said", ["everybody", "id=", "", 'uri="a" uri="b"', "name=x"])
def test_a_grant_that_cannot_be_read_is_refused(place: Place, path: str, said: str) -> None:
    """If this fails, a misspelt grant is dropped unseen."""
    answer = put_acl(place, path, x_amz_grant_read=said)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.element("ArgumentName") == "x-amz-grant-read"


def test_an_email_is_no_grantee_any_more(place: Place, path: str) -> None:
    """If this fails, a grant works here that S3 refuses since October 2025."""
    answer = put_acl(place, path, x_amz_grant_read='emailAddress="me@example.com"')
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")


def test_put_object_acl_says_one_thing_in_one_way(place: Place, path: str) -> None:
    """If this fails, half of what PutObjectAcl says is dropped."""
    nothing = put_acl(place, path)
    assert (nothing.status, nothing.code) == (400, "MissingSecurityHeader")
    owner = place.source.ask("GET", path, "acl").element("ID")
    twice = put_acl(place, path, document(owner), x_amz_acl="private")
    assert (twice.status, twice.code) == (400, "UnexpectedContent")


def test_a_document_without_grants_grants_nothing(place: Place, path: str) -> None:
    """If this fails, an empty ACL is taken for none."""
    owner = place.source.ask("GET", path, "acl").element("ID")
    assert put_acl(place, path, document(owner)).status == 200
    assert b"<Grant>" not in place.source.ask("GET", path, "acl").body


LINE = "<Grantee><URI>{0}</URI></Grantee><Permission>READ</Permission>"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("<Permission>READ</Permission>",), id="no grantee"),
        pytest.param((f"<Grantee><URI>{ALL_USERS}</URI></Grantee>",), id="no permission"),
        pytest.param(("<Grantee/><Permission>READ</Permission>",), id="an empty grantee"),
        pytest.param((LINE.format(ALL_USERS),) * 101, id="more than 100"),
    ],
)
def test_a_document_that_grants_nothing_sensible_is_refused(
    place: Place, path: str, lines: tuple[str, ...]
) -> None:
    """If this fails, an ACL is kept that S3 does not take."""
    owner = place.source.ask("GET", path, "acl").element("ID")
    answer = put_acl(place, path, document(owner, *lines))
    assert (answer.status, answer.code) == (400, "MalformedACLError")


def test_a_document_names_the_owner_that_is(place: Place, path: str) -> None:
    """If this fails, an ACL gives objects away, or names nobody."""
    stranger = put_acl(place, path, document("0" * 64, LINE.format(ALL_USERS)))
    assert (stranger.status, stranger.code) == (403, "AccessDenied")
    nobody = put_acl(place, path, document(None, LINE.format(ALL_USERS)))
    assert (nobody.status, nobody.code) == (400, "MalformedACLError")


def test_a_legal_hold_is_on_or_off(place: Place) -> None:
    """If this fails, a misspelt hold protects nothing."""
    answer = place.source.ask(
        "PUT",
        f"/{place.source_bucket}/k",
        headers={"x-amz-object-lock-legal-hold": "MAYBE"},
        body=b"x",
    )
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.element("ArgumentName") == "x-amz-object-lock-legal-hold"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param({"key": KEY, "key-md5": KEY_MD5}, "InvalidArgument", id="no algorithm"),
        pytest.param({"algorithm": "AES256"}, "InvalidArgument", id="no key"),
        pytest.param(
            {"algorithm": "AES256", "key": KEY, "key-md5": "AAAAAAAAAAAAAAAAAAAAAA=="},
            "InvalidArgument",
            id="the MD5 of another key",
        ),
        pytest.param(
            {"algorithm": "AES256", "key": "%%%", "key-md5": KEY_MD5},
            "InvalidArgument",
            id="no base64",
        ),
        pytest.param(
            {"algorithm": "AES128", "key": KEY, "key-md5": KEY_MD5},
            "InvalidEncryptionAlgorithmError",
            id="another algorithm",
        ),
    ],
)
def test_customer_key_headers_that_do_not_fit_are_refused(
    place: Place, said: dict[str, str], code: str
) -> None:
    """If this fails, an object is stored under a key that nobody can say again."""
    headers = {f"{SSE_C}{name}": value for name, value in said.items()}
    answer = place.source.ask("PUT", f"/{place.source_bucket}/k", headers=headers, body=b"x")
    assert (answer.status, answer.code) == (400, code)
    place.put("k")
    of_source = {
        name.replace("x-amz-", "x-amz-copy-source-", 1): text for name, text in headers.items()
    }
    of_source["x-amz-copy-source"] = f"{place.source_bucket}/k"
    copied = place.source.ask("PUT", f"/{place.source_bucket}/copy", headers=of_source)
    assert (copied.status, copied.code) == (400, code)
