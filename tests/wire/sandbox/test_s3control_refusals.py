"""S3 Control on the wire: whose requests are carried out, at which hosts, and what is malformed."""

import re
from collections.abc import Iterator

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.wire.sandbox.conftest import Place, raw_client
from tests.wire.sandbox.raw_client import RawS3

ME, OTHER = SOURCE.account_id, DESTINATION.account_id
JOBS = "/v20180820/jobs"
JOB = f"{JOBS}/11111111-2222-4333-8444-555555555555"
MINE = {"x-amz-account-id": ME}

CREATE = """<CreateJobRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">
<ConfirmationRequired>true</ConfirmationRequired>
<Operation><S3ReplicateObject/></Operation>
<Report><Enabled>false</Enabled></Report>
<ClientRequestToken>token</ClientRequestToken>
<ManifestGenerator><S3JobManifestGenerator>
<SourceBucket>arn:aws:s3:::some-bucket</SourceBucket>
<Filter><EligibleForReplication>true</EligibleForReplication>
<CreatedBefore>2026-01-01T00:00:00Z</CreatedBefore>
<ObjectReplicationStatuses><member>NONE</member></ObjectReplicationStatuses>
<MatchAnyObjectEncryption><ObjectEncryption><SSE-S3/></ObjectEncryption></MatchAnyObjectEncryption>
</Filter>
<EnableManifestOutput>false</EnableManifestOutput>
</S3JobManifestGenerator></ManifestGenerator>
<Description>d</Description><Priority>1</Priority>
<RoleArn>arn:aws:iam::111111111111:role/r</RoleArn>
<Tags><member><Key>k</Key><Value>v</Value></member></Tags>
</CreateJobRequest>"""


@pytest.fixture
def alone() -> Iterator[Sandbox]:
    """A sandbox without any jobs."""
    with Sandbox(seed=5) as running:
        yield running


@pytest.fixture
def control(alone: Sandbox) -> Iterator[RawS3]:
    """A client that writes to the host name which SDKs make."""
    with raw_client(alone, "source") as client:
        client.host = f"{ME}.s3-control.localhost"
        yield client


def jobs_of(control: RawS3) -> list[str]:
    answer = control.ask("GET", JOBS, headers=MINE)
    assert answer.status == 200, answer.body
    return answer.elements("JobId")


def test_the_request_that_the_next_test_spoils_is_taken(control: RawS3) -> None:
    """If this fails, nothing is proven by its spoilt variants."""
    answer = control.ask("POST", JOBS, headers=MINE, body=CREATE.encode())
    assert (answer.status, jobs_of(control)) == (200, [answer.element("JobId")])


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        ("<Priority>1</Priority>", "<Priority>1</Priority><Urgency>1</Urgency>"),
        ("<Priority>1</Priority>", "<Priority>1</Priority><Priority>2</Priority>"),
        ("<Priority>1</Priority>", "<Priority>one</Priority>"),
        ("<Priority>1</Priority>", "<Priority>-1</Priority>"),
        ("<S3ReplicateObject/>", "<S3MoveObject/>"),
        ("<Enabled>false</Enabled>", ""),
        ("<Enabled>false</Enabled>", "<Enabled>no</Enabled>"),
        ("<Enabled>false</Enabled>", "<Enabled>false</Enabled><Compressed>true</Compressed>"),
        (">true</ConfirmationRequired>", ">1</ConfirmationRequired>"),
        ("<SourceBucket>.*</SourceBucket>", ""),
        ("<EnableManifestOutput>.*</EnableManifestOutput>", ""),
        ("<S3JobManifestGenerator>", "<S3JobManifestGenerator><Depth>1</Depth>"),
        ("2026-01-01T00:00:00Z", "yesterday"),
        ("<member>NONE</member>", "<Status>NONE</Status>"),
        ("<SSE-S3/>", "<SSE-S3/><SSE-C/>"),
        ("<SSE-S3/>", "<SSE-X/>"),
        ("<Key>k</Key>", ""),
        ("<Tags>", "<Tags><member><Key>a</Key><Value/><Kind/></member>"),
        ("CreateJobRequest", "CreateJob"),
        ("</CreateJobRequest>", ""),
        ("^", '<!DOCTYPE x [<!ENTITY e "e">]>'),
    ],
)
def test_an_element_that_the_schema_lacks_is_malformed(
    control: RawS3, pattern: str, instead: str
) -> None:
    """If this fails, a misspelt part of a request is dropped in silence."""
    body, count = re.subn(pattern, instead, CREATE)
    assert count
    answer = control.ask("POST", JOBS, headers=MINE, body=body.encode())
    assert (answer.status, answer.code) == (400, "MalformedXML")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse><Error>')
    assert jobs_of(control) == []


@pytest.mark.parametrize(
    ("host", "header", "code"),
    [
        (f"{ME}.s3-control.localhost", None, "InvalidRequest"),
        (f"{ME}.s3-control.localhost", OTHER, "AccessDenied"),
        (f"{OTHER}.s3-control.localhost", ME, "AccessDenied"),
        (f"{OTHER}.s3-control.localhost", OTHER, "AccessDenied"),
        ("127.0.0.1", OTHER, "AccessDenied"),
        ("127.0.0.1", ME, ""),
        (f"{ME}.control.sandbox", ME, ""),
        (f"{ME}.s3-control.us-east-1.amazonaws.com", ME, ""),
    ],
)
def test_the_account_named_is_the_signers(
    control: RawS3, host: str, header: str | None, code: str
) -> None:
    """If this fails, jobs of one account answer to another, or a client's host is not known."""
    control.host = host
    headers = {} if header is None else {"x-amz-account-id": header}
    answer = control.ask("GET", JOBS, headers=headers)
    expected = {"": 200, "InvalidRequest": 400, "AccessDenied": 403}[code]
    assert (answer.status, answer.code) == (expected, code)


def test_only_true_signatures_for_s3_are_carried_out(alone: Sandbox, control: RawS3) -> None:
    """If this fails, jobs are made by anybody."""
    body = CREATE.encode()
    unsigned = control.ask("POST", JOBS, headers=MINE, body=body, is_signed=False)
    assert (unsigned.status, unsigned.code) == (403, "AccessDenied")
    for changes, status, code in (
        ({"secret": "another"}, 403, "SignatureDoesNotMatch"),
        ({"access_key": "AKIAUNKNOWN"}, 403, "InvalidAccessKeyId"),
        ({"service": "s3control"}, 400, "AuthorizationHeaderMalformed"),
        ({"region": "mars-1"}, 400, "AuthorizationHeaderMalformed"),
    ):
        with raw_client(alone, "source") as client:
            client.host = control.host
            for name, value in changes.items():
                setattr(client, name, value)
            answer = client.ask("POST", JOBS, headers=MINE, body=body)
        assert (answer.status, answer.code) == (status, code)
    digest = "0" * 64
    answer = control.ask("POST", JOBS, headers=MINE, body=body, payload_hash=digest)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert jobs_of(control) == []


def test_nobody_signs_as_a_role(alone: Sandbox, control: RawS3) -> None:
    """If this fails, an empty key and secret open the sandbox as the role that was made last."""
    alone.add_role("source", "batch")
    control.access_key = control.secret = ""
    answer = control.ask("GET", JOBS, headers=MINE)
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("DELETE", JOBS, ""),
        ("GET", f"{JOBS}/", ""),
        ("GET", JOBS, "sort=asc"),
        ("GET", f"{JOBS}/no", ""),
        ("GET", f"{JOB}/report", ""),
        ("GET", f"{JOB}/priority", ""),
        ("POST", f"{JOB}/priority", "priority=1&force=1"),
        ("GET", "/v20180820/bucket/b", ""),
    ],
)
def test_what_is_not_carried_is_told(control: RawS3, method: str, path: str, query: str) -> None:
    """If this fails, a request falls through to another operation."""
    answer = control.ask(method, path, query, headers=MINE)
    assert (answer.status, answer.code) == (501, "NotImplemented")


@pytest.mark.parametrize(
    ("method", "path", "query", "code"),
    [
        ("GET", JOBS, "maxResults=1001", "InvalidRequest"),
        ("GET", JOBS, "maxResults=many", "InvalidRequest"),
        ("GET", JOBS, "jobStatuses=Sleeping", "InvalidRequest"),
        ("GET", JOBS, "nextToken=mine", "InvalidNextTokenException"),
        ("POST", f"{JOB}/priority", "", "InvalidRequest"),
        ("POST", f"{JOB}/priority", "priority=1", "NoSuchJob"),
        ("POST", f"{JOB}/status", "requestedJobStatus=Ready", "NoSuchJob"),
        ("GET", JOB, "", "NoSuchJob"),
        ("GET", f"{JOB}/tagging", "", "NoSuchJob"),
        ("DELETE", f"{JOB}/tagging", "", "NoSuchJob"),
    ],
)
def test_a_wrong_value_or_job_is_refused(
    control: RawS3, method: str, path: str, query: str, code: str
) -> None:
    """If this fails, a client cannot tell a mistake of its own from a job that is gone."""
    answer = control.ask(method, path, query, headers=MINE)
    assert answer.code == code
    assert answer.status == (404 if code == "NoSuchJob" else 400)


def test_a_bucket_named_like_the_path_stays_a_bucket(alone: Sandbox) -> None:
    """If this fails, a legal bucket name is out of reach."""
    with raw_client(alone, "source") as client:
        assert client.ask("PUT", "/v20180820").status == 200
        assert client.ask("PUT", JOBS, body=b"x").status == 200
        assert client.ask("GET", JOBS).body == b"x"


def proxied(client: RawS3, host: str, method: str, path: str, **headers: str) -> bytes:
    """A request in absolute form, as proxies receive it, signed for that host."""
    client.host = host
    wire = client.signed(method, path, headers=headers)
    start = f"{method} /".encode()
    assert wire.startswith(start)
    return wire.replace(start, f"{method} http://{host}:{client.port}/".encode(), 1)


def test_the_sandbox_is_a_proxy_for_its_own_names_only(place: Place) -> None:
    """If this fails, HTTP_PROXY lets another server's request be carried out here, or not ours."""
    client, bucket = place.source, place.source_bucket
    place.put("k", b"here")
    mine = {"x-amz-account-id": ME}
    wire = proxied(client, f"{ME}.s3-control.localhost", "GET", JOBS, **mine)
    assert client.exchange(wire).status == 200
    wire = proxied(client, f"{bucket}.s3.localhost", "GET", "/k")
    assert client.exchange(wire).body == b"here"
    for foreign in ("example.com", "169.254.169.254", "s3.amazonaws.com", "localhost.example.com"):
        wire = proxied(client, foreign, "GET", f"/{bucket}/k")
        answer = client.exchange(wire)
        assert (answer.status, answer.code) == (403, "AccessDenied")
        assert foreign in answer.element("Message")


def test_a_target_for_one_host_signed_for_another_is_refused(place: Place) -> None:
    """If this fails, a proxied request is carried out at a host that nobody signed for."""
    client = place.source
    wire = proxied(
        client, f"{ME}.s3-control.localhost", "GET", JOBS, **{"x-amz-account-id": ME}
    ).replace(b"http://111111111111.s3-", b"http://111111111111.s4-", 1)
    answer = client.exchange(wire)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
