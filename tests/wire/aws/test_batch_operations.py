"""S3 Control over the wire: what is sent where, and how each failure ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio

from backfill.aws import batch_operations
from backfill.aws.batch_operations import S3BatchOperations
from backfill.aws.calls import Calls
from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.faults import error_of
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import AwsSession, Connection
from backfill.errors import (
    Disposition,
    ListingStuckError,
    MissingPermissionError,
    StoreFault,
    UsageError,
)
from backfill.model.jobs import JobOperation, JobPlace, JobStatus, JobSummary, RequestedStatus
from tests.unit.aws.test_job_requests import GENERATED, REPLICATE
from tests.wire.aws.conftest import SECRET_KEY, KeptEvents, quick_retries
from tests.wire.aws.operations import SOURCE
from tests.wire.aws.raw_server import CLOSE, RESET, Action, Hang, RawServer, Seen, Send, answer
from tests.wire.aws.sigv4 import is_signed_for

RETRY, SETTLE, REDECIDE = Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE
FAIL, STOP = Disposition.FAIL, Disposition.STOP

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACE = JobPlace(account_id="111111111111", region="eu-west-1")
JOB_ID = "0a1b2c3d-job"
XMLNS = 'xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"'


def control(name: str, inside: str) -> Send:
    return answer(200, f"<{name} {XMLNS}>{inside}</{name}>".encode())


def refusal(status: int, code: str) -> Send:
    error = f"<Error><Code>{code}</Code><Message>said so</Message></Error>"
    return answer(status, f"<ErrorResponse>{error}</ErrorResponse>".encode())


def listed(*job_ids: str, token: str = "", status: str = "Active") -> Send:
    jobs = "".join(
        f"<member><JobId>{job_id}</JobId><Operation>LambdaInvoke</Operation><Priority>1</Priority>"
        f"<Status>{status}</Status><CreationTime>2026-11-22T10:00:00.000Z</CreationTime></member>"
        for job_id in job_ids
    )
    more = f"<NextToken>{token}</NextToken>" if token else ""
    return control("ListJobsResult", f"{more}<Jobs>{jobs}</Jobs>")


def query(seen: Seen) -> dict[str, list[str]]:
    return parse_qs(urlsplit(seen.target.decode()).query)


async def jobs_of(batch: S3BatchOperations) -> list[JobSummary]:
    return [job async for job in batch.list_jobs(PLACE)]


READS: dict[str, Callable[[S3BatchOperations], Awaitable[object]]] = {
    "DescribeJob": lambda batch: batch.describe_job(PLACE, JOB_ID),
    "ListJobs": jobs_of,
    "GetJobTagging": lambda batch: batch.job_tags(PLACE, JOB_ID),
}
WRITES: dict[str, Callable[[S3BatchOperations], Awaitable[object]]] = {
    "CreateJob": lambda batch: batch.create_job(REPLICATE),
    "UpdateJobStatus": lambda batch: batch.update_job_status(
        PLACE, JOB_ID, RequestedStatus.CANCELLED, reason="tired"
    ),
    "UpdateJobPriority": lambda batch: batch.update_job_priority(PLACE, JOB_ID, 7),
}


async def test_a_job_is_created_by_one_signed_request_to_the_loopback_endpoint_itself(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, no emulator on this machine can be asked: `1….127.0.0.1` is no name."""
    raw_server.script = lambda _: control("CreateJobResult", f"<JobId>{JOB_ID}</JobId>")
    assert await batch.create_job(replace(REPLICATE, manifest=GENERATED)) == JOB_ID
    (seen,) = raw_server.seen
    assert seen.headers["host"] == f"127.0.0.1:{raw_server.port}"
    assert seen.headers["x-amz-account-id"] == "111111111111"
    assert (seen.method, seen.target) == ("POST", b"/v20180820/jobs")
    assert is_signed_for(seen, "/v20180820/jobs", secret_key=SECRET_KEY, region="eu-west-1")


async def test_the_document_that_is_sent_says_all_that_the_parameters_say(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, the SDK writes another document than the one that was validated."""
    raw_server.script = lambda _: control("CreateJobResult", f"<JobId>{JOB_ID}</JobId>")
    request = replace(REPLICATE, manifest=GENERATED, tags=(("run", "7"),), needs_confirmation=True)
    await batch.create_job(request)
    root = ET.fromstring(raw_server.seen[0].body)  # noqa: S314 - the SDK wrote it
    space = "{http://awss3control.amazonaws.com/doc/2018-08-20/}"

    def text(path: str) -> str | None:
        return root.findtext("/".join(space + name for name in path.split("/")))

    generator = "ManifestGenerator/S3JobManifestGenerator"
    assert text("ClientRequestToken") == "token-1"
    assert text("ConfirmationRequired") == "true"
    assert root.find(f"{space}Operation/{space}{JobOperation.REPLICATE}") is not None
    assert text(f"{generator}/EnableManifestOutput") == "false"
    assert text(f"{generator}/Filter/CreatedBefore") == "2026-11-22T10:00:00Z"
    assert text(f"{generator}/Filter/KeyNameConstraint/MatchAnyPrefix/member") == "photos/"
    assert text("Report/Prefix") == "run"
    assert text("Tags/member/Key") == "run"


async def test_all_pages_are_listed_and_a_page_that_fails_is_asked_for_again(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, a job of ours on the second page is not found and made again."""
    pages = {
        None: listed("job-1", "job-2", token="a/b+c="),
        "a/b+c=": listed(token="d"),
        "d": listed("job-3"),
    }
    troubles = [refusal(400, "TooManyRequestsException"), RESET]

    def script(seen: Seen) -> Action:
        token = query(seen).get("nextToken", [None])[0]
        return troubles.pop() if token is not None and troubles else pages[token]

    raw_server.script = script
    assert [job.job_id for job in await jobs_of(batch)] == ["job-1", "job-2", "job-3"]
    assert len(raw_server.seen) == 5
    assert all(query(seen)["maxResults"] == ["1000"] for seen in raw_server.seen)


async def test_a_list_that_comes_back_to_a_page_ends_in_an_error(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, an emulator that ignores the token makes us list for ever."""
    tokens = {None: "a", "a": "b", "b": "a"}
    raw_server.script = lambda seen: listed(
        "job-1", token=tokens[query(seen).get("nextToken", [None])[0]]
    )
    with pytest.raises(ListingStuckError):
        await jobs_of(batch)
    assert len(raw_server.seen) == 3


async def test_a_list_without_end_ends_in_an_error(
    batch: S3BatchOperations, raw_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a loop has no limit."""
    monkeypatch.setattr(batch_operations, "JOB_PAGES_MAX", 5)
    raw_server.script = lambda _: listed(token=f"page-{len(raw_server.seen)}")
    with pytest.raises(ListingStuckError):
        await jobs_of(batch)
    assert len(raw_server.seen) == 5


async def test_a_job_is_described_tagged_confirmed_and_reordered(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, jobs cannot be watched or steered."""
    raw_server.script = lambda _: control(
        "DescribeJobResult",
        f"<Job><JobId>{JOB_ID}</JobId><Status>Completing</Status><Priority>3</Priority>"
        "<CreationTime>2026-11-22T10:00:00Z</CreationTime>"
        "<Operation><S3ReplicateObject/></Operation><FailureReasons><member><FailureCode>F"
        "</FailureCode><FailureReason>because</FailureReason></member></FailureReasons>"
        "<Report><Enabled>true</Enabled><Bucket>arn:aws:s3:::reports</Bucket></Report></Job>",
    )
    found = await batch.describe_job(PLACE, JOB_ID)
    assert found.summary.status is JobStatus.COMPLETING
    assert found.summary.operation == "S3ReplicateObject"
    assert [failure.reason for failure in found.failures] == ["because"]
    assert found.report is not None
    assert (found.report.bucket, found.report.prefix) == ("reports", "")
    raw_server.script = lambda _: control(
        "GetJobTaggingResult", "<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"
    )
    assert await batch.job_tags(PLACE, JOB_ID) == {"k": "v"}
    raw_server.script = lambda _: control(
        "UpdateJobStatusResult", f"<JobId>{JOB_ID}</JobId><Status>Ready</Status>"
    )
    confirmed = await batch.update_job_status(
        PLACE, JOB_ID, RequestedStatus.READY, reason="x" * 999
    )
    assert confirmed is JobStatus.READY
    assert query(raw_server.seen[-1]) == {
        "requestedJobStatus": ["Ready"],
        "statusUpdateReason": ["x" * 256],
    }
    raw_server.script = lambda _: control(
        "UpdateJobPriorityResult", f"<JobId>{JOB_ID}</JobId><Priority>7</Priority>"
    )
    await batch.update_job_priority(PLACE, JOB_ID, 7)
    assert query(raw_server.seen[-1]) == {"priority": ["7"]}


FAULTS: dict[str, tuple[Action, Disposition, Disposition]] = {
    "throttled": (refusal(400, "TooManyRequestsException"), RETRY, RETRY),
    "slow down": (refusal(503, "SlowDown"), RETRY, RETRY),
    "in trouble": (refusal(500, "InternalServiceException"), RETRY, SETTLE),
    "a proxy's page": (answer(502, b"<html>bad gateway</html>"), RETRY, SETTLE),
    "reset": (RESET, RETRY, SETTLE),
    "closed": (CLOSE, RETRY, SETTLE),
    "nothing": (answer(200), RETRY, SETTLE),
    "cut": (answer(200, b"<CreateJobResult><JobI"), RETRY, SETTLE),
    "short": (answer(200, b"<Crea", length=999, then="close"), RETRY, SETTLE),
    "refused": (refusal(400, "BadRequestException"), FAIL, FAIL),
    "refused in S3's words": (refusal(400, "InvalidRequest"), FAIL, FAIL),
    "not there": (refusal(404, "NoSuchJob"), FAIL, FAIL),
    "not found": (refusal(404, "NotFoundException"), FAIL, FAIL),
    "denied": (refusal(403, "AccessDenied"), FAIL, FAIL),
    "token used for something else": (refusal(400, "IdempotencyException"), FAIL, SETTLE),
    "gone on": (refusal(409, "JobStatusException"), FAIL, REDECIDE),
    "code of next year": (refusal(400, "CodeOfNextYear"), FAIL, SETTLE),
    "expired": (refusal(400, "ExpiredToken"), STOP, STOP),
}


@pytest.mark.parametrize("operation", [*READS, *WRITES])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_ends_in_its_disposition_and_only_reads_are_sent_again(
    batch: S3BatchOperations, raw_server: RawServer, operation: str, fault: str
) -> None:
    """If this fails, a job is made twice, or a passing fault ends a run of days."""
    action, read, write = FAULTS[fault]
    raw_server.script = lambda _: action
    with pytest.raises(StoreFault) as caught:
        await (READS | WRITES)[operation](batch)
    expected = write if operation in WRITES else read
    assert caught.value.disposition is expected, caught.value
    assert caught.value.operation == operation
    assert caught.value.is_ambiguous is (expected is SETTLE)
    is_repeated = operation in READS and expected is RETRY
    assert len(raw_server.seen) == (3 if is_repeated else 1)


@pytest.mark.parametrize("operation", [*READS, *WRITES])
async def test_silence_has_a_limit_that_is_not_that_of_copies(
    raw_server: RawServer, operation: str
) -> None:
    """If this fails, one hanging connection holds the driver for ten minutes, each time."""
    raw_server.forget()
    raw_server.script = lambda _: Hang()
    connection = Connection(endpoint_url=raw_server.endpoint_url, read_timeout_s=10.0)
    async with AwsSession(connection) as session:
        calls = Calls(session, KeptEvents(), read_timeout_s=0.3)
        batch = S3BatchOperations(calls, quick_retries(1))
        with pytest.raises(StoreFault) as caught:
            await (READS | WRITES)[operation](batch)
    assert caught.value.disposition is (RETRY if operation in READS else SETTLE)
    assert caught.value.code == "TimeoutError", "the SDK's own time-out is ReadTimeoutError"


@pytest.mark.parametrize("at", ["yesterday", "2026-99-99T00:00:00Z", ""])
async def test_a_time_that_is_none_is_a_fault_and_not_a_crash(
    batch: S3BatchOperations, raw_server: RawServer, at: str
) -> None:
    """If this fails, one odd answer of the SDK's parser ends the process with a traceback."""
    raw_server.script = lambda _: control(
        "DescribeJobResult",
        f"<Job><JobId>{JOB_ID}</JobId><Status>Active</Status><CreationTime>{at}</CreationTime></Job>",
    )
    with pytest.raises(StoreFault) as caught:
        await batch.describe_job(PLACE, JOB_ID)
    assert (caught.value.code, caught.value.disposition) == ("UnreadableReply", RETRY)


async def test_a_status_of_next_year_is_a_fault_that_names_it(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, a person cannot tell which job is in which unknown status."""
    raw_server.script = lambda _: listed("job-of-next-year", status="Hibernating")
    with pytest.raises(StoreFault, match=r"job-of-next-year .*Hibernating") as caught:
        await jobs_of(batch)
    assert caught.value.disposition is FAIL


async def test_another_priority_than_asked_for_is_no_success(
    batch: S3BatchOperations, raw_server: RawServer
) -> None:
    """If this fails, an answer of another job passes for ours."""
    raw_server.script = lambda _: control(
        "UpdateJobPriorityResult", f"<JobId>{JOB_ID}</JobId><Priority>1</Priority>"
    )
    with pytest.raises(StoreFault) as caught:
        await batch.update_job_priority(PLACE, JOB_ID, 7)
    assert caught.value.is_ambiguous


@pytest.mark.parametrize("operation", [*READS, *WRITES])
async def test_a_denial_names_the_statement_that_is_missing(
    batch: S3BatchOperations, raw_server: RawServer, operation: str
) -> None:
    """If this fails, a person is told no without being told what to ask for."""
    raw_server.script = lambda _: refusal(403, "AccessDenied")
    with pytest.raises(StoreFault) as caught:
        await (READS | WRITES)[operation](batch)
    error = error_of(caught.value)
    assert isinstance(error, MissingPermissionError)
    assert f"s3:{operation}" in error.hint
    assert ("iam:PassRole" in error.hint) is (operation == "CreateJob")


@pytest_asyncio.fixture(loop_scope="module")
async def proxy() -> AsyncIterator[RawServer]:
    server = RawServer(script=lambda _: refusal(502, "Proxied"))
    await server.start()
    yield server
    await server.stop()


async def test_what_is_on_this_machine_is_never_asked_through_a_proxy(
    raw_server: RawServer, proxy: RawServer, identity: pytest.MonkeyPatch
) -> None:
    """If this fails, signed requests for loopback leave the machine where HTTP_PROXY is set."""
    raw_server.forget()
    raw_server.script = lambda seen: (
        listed() if b"jobs" in seen.target else answer(200, b"<Tagging><TagSet/></Tagging>")
    )
    with identity.context() as patch:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            patch.setenv(name, proxy.endpoint_url)
        for name in ("NO_PROXY", "no_proxy"):
            patch.delenv(name, raising=False)
        async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
            calls = Calls(session, KeptEvents())
            assert await jobs_of(S3BatchOperations(calls, quick_retries(1))) == []
            assert await S3ObjectStore(calls).get_object_tagging(SOURCE, "k") == ()
            with pytest.raises(StoreFault) as caught:
                await S3ControlPlane(calls).account_id()
            assert caught.value.code != "Proxied"
    assert proxy.seen == []
    assert len(raw_server.seen) == 3


@pytest.mark.parametrize("host", ["localhost", "s3-control.localhost", "A.B.LOCALHOST."])
async def test_names_of_this_machine_reach_it(
    raw_server: RawServer, identity: pytest.MonkeyPatch, host: str
) -> None:
    """If this fails, an endpoint that we take for loopback works on some machines only."""
    raw_server.forget()
    raw_server.script = lambda _: listed("job-1")
    own = f"http://{host}:{raw_server.port}"
    with identity.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3_CONTROL", own)
        async with AwsSession(Connection(endpoint_url="http://127.0.0.1:1")) as session:
            batch = S3BatchOperations(Calls(session, KeptEvents()), quick_retries(1))
            assert [job.job_id for job in await jobs_of(batch)] == ["job-1"]
    assert raw_server.seen[0].headers["host"].lower().startswith(host.lower().rstrip("."))


class AskedError(ConnectionError):
    """Stops a request at the door, with its URL."""


async def asked_url(connection: Connection) -> str:
    """Return the URL that S3 Control would be asked at."""

    def stop(request: object, **_: object) -> NoReturn:
        raise AskedError(getattr(request, "url", ""))

    async with (
        AwsSession(connection) as session,
        session.lease("s3control", PLACE.region) as client,
    ):
        client.meta.events.register_first("before-send.s3-control", stop)
        with pytest.raises(StoreFault) as caught:
            await jobs_of(S3BatchOperations(Calls(session, KeptEvents()), quick_retries(1)))
        assert isinstance(caught.value.__cause__, AskedError)
        return str(caught.value.__cause__).partition("/v20180820")[0]


@pytest.mark.parametrize(
    ("s3", "own", "url"),
    [
        (None, "", "https://111111111111.s3-control.eu-west-1.amazonaws.com"),
        ("https://s3.example.org", "", "https://111111111111.s3-control.eu-west-1.amazonaws.com"),
        ("https://s3.example.org", "https://c.example.org", "https://111111111111.c.example.org"),
        ("http://127.0.0.1:7", "", "http://127.0.0.1:7"),
        ("http://127.0.0.1:7/base", "", "http://127.0.0.1:7/base"),
        ("http://[::1]:7", "", "http://[::1]:7"),
        ("https://localhost:7", "", "https://localhost:7"),
        ("http://127.0.0.1:7", "http://127.0.0.1:8", "http://127.0.0.1:8"),
        (None, "http://127.0.0.1:8", "http://127.0.0.1:8"),
    ],
)
async def test_the_account_stands_before_every_host_but_this_machines(
    identity: pytest.MonkeyPatch, s3: str | None, own: str, url: str
) -> None:
    """If this fails, AWS itself is asked under another name than its own, or loopback is not."""
    with identity.context() as patch:
        if own:
            patch.setenv("AWS_ENDPOINT_URL_S3_CONTROL", own)
        assert await asked_url(Connection(endpoint_url=s3)) == url


async def test_plain_http_to_another_machine_is_refused_for_s3_control_too(
    identity: pytest.MonkeyPatch,
) -> None:
    """If this fails, the signature of a CreateJob is given away."""
    with identity.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3_CONTROL", "http://control.example.org")
        async with AwsSession(Connection()) as session:
            batch = S3BatchOperations(Calls(session, KeptEvents()), quick_retries(1))
            with pytest.raises(UsageError, match="plain http"):
                await jobs_of(batch)


async def test_no_name_but_localhost_is_resolved_to_this_machine(
    identity: pytest.MonkeyPatch,
) -> None:
    """If this fails, a request for a foreign name is answered by whoever listens here."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with identity.context() as patch, listener:
        patch.setenv("AWS_ENDPOINT_URL_S3_CONTROL", f"https://localhost.invalid:{port}")
        async with AwsSession(Connection()) as session:
            batch = S3BatchOperations(Calls(session, KeptEvents()), quick_retries(1))
            with pytest.raises(StoreFault) as caught:
                await jobs_of(batch)
        assert caught.value.disposition is RETRY
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            await asyncio.get_running_loop().run_in_executor(None, listener.accept)
