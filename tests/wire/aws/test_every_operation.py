"""Every fault of a service and of the wire, on every operation that the product sends.

The list of operations is complete by construction: it is held against the words of the source. The
expectations are written by hand, here and in `service_faults`, and not taken from the product.
"""

import ast
import asyncio
import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import botocore.session
import pytest

import backfill.aws
from backfill.aws.calls import Calls
from backfill.aws.faults import verdict
from backfill.aws.session import Connection
from backfill.errors import Disposition, StoreFault
from tests.doubles.clients import CLIENTS, opened_calls
from tests.doubles.figures import Row, Tried, is_release
from tests.doubles.scripted_server import breathe
from tests.wire.aws.conftest import KeptEvents, quick_retries
from tests.wire.aws.every_operation import ACTS, Act, Adapters, adapters, asked_operation
from tests.wire.aws.raw_server import Action, Hang, RawServer, Seen, Send, answer
from tests.wire.aws.service_faults import (
    FAIL,
    OF_SERVICE,
    REDECIDE,
    RETRY,
    S3_INSIDE_200,
    SETTLE,
    SKIP,
    STOP,
    WITHOUT_RESULT,
    WORDS,
    Fault,
    refusal,
    s3,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = tuple(OF_SERVICE)
BY_JSON = {"kms", "sqs", "lambda"}

# --- which operations there are ---

ELSEWHERE = {
    "AssumeRole": "sent by the session before anything else: test_assumed_role",
    "AssumeRoleWithWebIdentity": "sent by the SDK's own chain: test_container_roles",
    "ListObjectsV2": "bound by the lean client and sent by nobody: test_same_requests",
    "GetObjectAttributes": "bound by the lean client and sent by nobody: test_same_requests",
}
"""Operations that the source names and the matrix does not have, each with its reason."""


def named_operations() -> frozenset[str]:
    """Return every operation of our services whose name backfill.aws, which alone sends, holds.

    A name that is built is S3's: its verb is in an f-string, the rest is the `name` of a form.
    """
    session = botocore.session.get_session()
    known = {name for each in SERVICES for name in session.get_service_model(each).operation_names}
    texts, verbs, rests = set[str](), set[str](), set[str]()
    for path in Path(backfill.aws.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                verbs.update(re.findall(r"\A[A-Z][a-z]+\Z", str(node.values[0].value)))
            elif isinstance(node, ast.keyword) and node.arg == "name":
                rests.update(re.findall(r"[A-Z]\w+", ast.unparse(node.value)))
    of_s3 = {*session.get_service_model("s3").operation_names}
    built = of_s3 & {verb + rest for verb in verbs for rest in rests}
    return frozenset((known & texts) | built)


async def test_every_operation_that_the_source_names_is_in_the_matrix() -> None:
    """If this fails, an operation is sent of which nobody has said how its faults end."""
    acts, named = {act.operation for act in ACTS}, named_operations()
    assert named - acts == ELSEWHERE.keys()
    assert acts <= named, "an act of an operation that is not sent any more"


async def test_what_awss_own_models_call_a_throttle_or_a_failure_is_one(tried: Tried) -> None:
    """If this fails, a busy or failing service ends what should wait, or is believed too early."""
    session = botocore.session.get_session()
    seen = 0
    for act in ACTS:
        model = session.get_service_model(act.service).operation_model(act.operation)
        for shape in model.error_shapes:
            error = shape.metadata.get("error", {})
            code, status = error.get("code", shape.name), error.get("httpStatusCode", 400)
            told = verdict(operation=act.operation, code=code, status=status)
            if "Throttl" in code or "TooManyRequests" in code:
                assert told is RETRY, (act.name, code)
            elif shape.metadata.get("fault") or status >= 500:
                assert told is (SETTLE if act.is_write else RETRY), (act.name, code)
            elif act.is_write:
                assert told is not RETRY, (act.name, code)
            seen += 1
    assert seen > 100
    tried(Row.WIRE_CELLS, seen)


# --- what each fault ends in, where an operation differs from its service ---

ANSWERED = None
"""The act takes this refusal for an answer: there is none, or who may not ask goes on without."""

_DOCUMENTS = tuple(act.name for act in ACTS if act.note == "document")
_FACTS = (
    "GetBucketOwnershipControls (facts)",
    "GetBucketAcl (facts)",
    "GetPublicAccessBlock (facts)",
)
_LOCKS = ("GetObjectLockConfiguration (facts)", "GetObjectLockConfiguration (retention)")

BY_HAND: dict[tuple[str, str], Disposition | None] = {
    # Other stores have no such configuration, and say so.
    **{(name, "F20 NotImplemented"): ANSWERED for name in (*_DOCUMENTS, *_FACTS, *_LOCKS)},
    # Who may not ask goes on as if there were none; the lock itself is not among them.
    **{(name, "F15 AccessDenied"): ANSWERED for name in (*_FACTS, _LOCKS[1])},
    **{(name, "F3 in a 200 AccessDenied"): ANSWERED for name in (*_FACTS, _LOCKS[1])},
    # There is none.
    ("GetObject (head of a run)", "F14 NoSuchVersion"): ANSWERED,
    ("GetRole", "F14 NoSuchEntity"): ANSWERED,
    ("DescribeKey", "F14 NotFoundException"): ANSWERED,
    ("HeadBucket (is there)", "F14 NoSuchBucket"): ANSWERED,
    ("HeadBucket (is there)", "F14 NoSuchVersion"): ANSWERED,
    # HEAD's 404 says no more than that.
    ("HeadBucket (region)", "F14 NoSuchBucket"): SKIP,
    ("HeadBucket (owner)", "F14 NoSuchBucket"): SKIP,
    ("HeadObject", "F14 NoSuchBucket"): SKIP,
    # A bucket is not archived: a 403 without a code.
    **{
        (f"HeadBucket ({note})", f"F20 {code}"): FAIL
        for note in ("region", "owner", "is there")
        for code in ("InvalidObjectState", "ObjectNotInActiveTierError")
    },
    # Restored meanwhile: it is looked at again.
    ("RestoreObject", "F20 InvalidObjectState"): REDECIDE,
    # A body that is data or JSON says nothing by being an error: it cannot be read.
    ("GetObject (head of a run)", "F3 in a 200 AccessDenied"): RETRY,
    ("GetBucketPolicy (document)", "F3 in a 200 AccessDenied"): RETRY,
    # HEAD hears an error inside a 200 as a 200 that lacks everything.
    ("HeadObject", "F3 in a 200 AccessDenied"): RETRY,
}
"""Where an operation differs from its service."""

NO_FAULTS = {
    # Lambda has one code for no policy and for no function: GetFunctionConfiguration is asked next.
    ("GetPolicy (function)", "F14 ResourceNotFoundException"),
    # HEAD has no body that could be short.
    *((f"HeadBucket ({note})", "F6 short body") for note in ("region", "owner", "is there")),
}


def ending(act: Act, fault: Fault) -> Disposition | None:
    """Return how an act must end that meets a fault; None: in an answer."""
    if (act.name, fault.name) in BY_HAND:
        return BY_HAND[act.name, fault.name]
    stated = fault.write if act.is_write else fault.read
    if act.settles and stated in (SETTLE, REDECIDE):
        return RETRY  # it was looked for, and is not there: a conditional write may be sent again
    return stated


def requests_of(act: Act, fault: Fault) -> list[str]:
    """Return the methods that an act sends, HeadObject of what it settles left out.

    A HEAD whose refusal hides its code is followed by a question with a body; where that says
    nothing about the asker, HEAD alone can tell.
    """
    data = fault.action.data if isinstance(fault.action, Send) else b""
    if not act.operation.startswith("Head") or not data.startswith(
        (b"HTTP/1.1 400", b"HTTP/1.1 403")
    ):
        return [METHODS.get(act.operation, "")]
    is_answered = act.operation == "HeadObject" or fault.read in (STOP, RETRY)
    return ["HEAD", "GET"] if is_answered else ["HEAD", "GET", "HEAD"]


METHODS = {"HeadObject": "HEAD", "HeadBucket": "HEAD"}


def faults_of(act: Act) -> tuple[Fault, ...]:
    """Return the faults of a service that are faults of this operation."""
    every = OF_SERVICE[act.service]
    if act.has_result:
        every += WITHOUT_RESULT
        every += S3_INSIDE_200 if act.service == "s3" else ()
    return tuple(fault for fault in every if (act.name, fault.name) not in NO_FAULTS)


# --- the stage ---


def with_clients(acts: Sequence[Act]) -> list[tuple[str, Act]]:
    """Return each act with the clients that send it."""
    return [(client, act) for client in CLIENTS for act in acts if client == "sdk" or act.is_lean]


def name_of(value: object) -> str:
    """Return what a row is called."""
    return value.name if isinstance(value, Act) else str(value)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uploads") / "manifest.csv"
    path.write_bytes(b"b,k\n")
    return path


@pytest.fixture
def on(calls: Calls, raw_server: RawServer, file: Path) -> Adapters:
    raw_server.forget()
    return adapters(calls, quick_retries(1), file)


def scripted(server: RawServer, act: Act, *actions: Action) -> list[Seen]:
    """Answer what comes before, then the operation in this order, the last again and again.

    HeadObject finds nothing, where an act looks for what it wrote. Returns the requests that met
    an action.
    """
    server.forget()
    left, met = deque(actions), list[Seen]()

    def script(seen: Seen) -> Action:
        asked = asked_operation(seen)
        if asked in act.before:
            return act.before[asked]
        if act.settles and asked == "HeadObject":
            return answer(404)
        met.append(seen)
        return left.popleft() if len(left) > 1 else left[0]

    server.script = script
    return met


@pytest.mark.parametrize(("client", "act"), with_clients(ACTS), ids=name_of, scope="module")
async def test_each_fault_on_an_operation_ends_in_the_stated_disposition(
    raw_server: RawServer, calls: Calls, file: Path, act: Act, tried: Tried
) -> None:
    """Else a write that may have been applied is sent again, or a passing fault ends a run."""
    wrong = list[str]()
    for fault in faults_of(act):
        met = scripted(raw_server, act, fault.action)
        try:
            await act.call(adapters(calls, quick_retries(1), file))
            told = None
        except StoreFault as caught:
            told = caught.disposition
            if caught.is_ambiguous is not (told is SETTLE):
                wrong.append(f"{fault.name}: ambiguous {caught.is_ambiguous}")
            if caught.operation != act.operation:
                wrong.append(f"{fault.name}: {caught.operation}")
        if told is not ending(act, fault):
            wrong.append(f"{fault.name}: {told}, not {ending(act, fault)}")
        methods = [seen.method for seen in met]
        wanted = requests_of(act, fault)
        if len(methods) != len(wanted) or (wanted[0] and methods != wanted):
            wrong.append(f"{fault.name}: {methods}, not {wanted}")
        if isinstance(fault.action, Send) and fault.action.then != "keep":
            await breathe()  # so that the client sees the end of that connection
    assert not wrong
    tried(Row.WIRE_CELLS, len(faults_of(act)))


# --- silence, tokens and clocks ---


@pytest.mark.parametrize(
    ("client", "service"), [("sdk", each) for each in SERVICES], scope="module"
)
async def test_silence_on_an_operation_ends_by_a_limit(
    raw_server: RawServer,
    impatient_calls: Calls,
    file: Path,
    service: str,
    tried: Tried,
) -> None:
    """F10: if this fails, one connection that hangs holds setup, watch or a driver for ever.

    What the lean client sends is in test_fault_matrix.
    """
    raw_server.forget()
    acts = [act for act in ACTS if act.service == service and not act.is_lean]
    before = {name: said for act in acts for name, said in act.before.items()}
    own = {act.operation for act in acts if not act.before} | {"HeadObject"}

    def script(seen: Seen) -> Action:
        asked = asked_operation(seen)
        return Hang() if asked in own or asked not in before else before[asked]

    raw_server.script = script
    on = adapters(impatient_calls, quick_retries(1), file)
    # Side by side: each waits for the whole limit.
    ends = await asyncio.gather(*(act.call(on) for act in acts), return_exceptions=True)
    for act, end in zip(acts, ends, strict=True):
        assert isinstance(end, StoreFault), f"{act.name}: {end!r}"
        # On a busy machine the limit may pass for what is asked before.
        is_sent = end.operation == act.operation and act.is_write
        assert end.disposition is (SETTLE if is_sent and not act.settles else RETRY), act.name
    tried(Row.WIRE_CELLS, len(acts))


def signed_by(seen: Seen) -> str:
    return seen.headers["authorization"].partition("Credential=")[2].partition("/")[0]


def renewed_acts() -> list[Act]:
    """Return all acts in the release lane; in CI one of each kind, since one renewal serves all."""
    kinds: dict[object, Act] = {}
    for act in ACTS:
        is_head = act.operation.startswith("Head")
        kind = (act.service, act.is_lean, act.settles, is_head)
        kinds.setdefault((act.name, act.service) if is_release() else kind, act)
    return list(kinds.values())


OLD, NEW = "AKIAOLD0000000000000", "AKIANEW0000000000000"


@pytest.mark.parametrize(
    ("client", "act"), with_clients(renewed_acts()), ids=name_of, scope="module"
)
async def test_a_token_that_expires_is_renewed_once_and_the_request_sent_with_the_new_one(
    raw_server: RawServer,
    identity: pytest.MonkeyPatch,
    client: str,
    file: Path,
    tmp_path: Path,
    act: Act,
    tried: Tried,
) -> None:
    """F16: if this fails, an operation that nobody thought of ends a run of hours.

    What the new token meets is a refusal, which shows that it was sent and that this is the end.
    """
    code = "ExpiredTokenException" if act.service in BY_JSON else "ExpiredToken"
    expired, denied = WORDS[act.service](400, code), WORDS[act.service](403, "TeapotError")
    credentials = tmp_path / "credentials"

    def have(access_key: str) -> None:
        credentials.write_text(
            f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = s\n"
        )

    def script(seen: Seen) -> Action:
        if signed_by(seen) == OLD and asked_operation(seen) not in act.before:
            have(NEW)
            return expired
        return act.before.get(asked_operation(seen), denied)

    have(OLD)
    raw_server.forget()
    raw_server.script = script
    with identity.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        connection = Connection(endpoint_url=raw_server.endpoint_url)
        async with opened_calls(client, connection, KeptEvents()) as calls:
            with pytest.raises(StoreFault) as caught:
                await act.call(adapters(calls, quick_retries(1), file))
    assert caught.value.disposition is not STOP, caught.value
    own = [seen for seen in raw_server.seen if asked_operation(seen) not in act.before]
    keys = [signed_by(seen) for seen in own if not (act.settles and seen.method == "HEAD")]
    asks = 2 if act.operation.startswith("Head") else 1
    assert keys.count(OLD) == asks, "HEAD has no code, so that its question is asked as well"
    assert 1 <= keys.count(NEW) <= 1 + asks, "once, and HEAD with its question"
    tried(Row.WIRE_CELLS, 1)


@pytest.mark.parametrize(
    ("client", "act"), [("lean", act) for act in ACTS if act.is_lean], ids=name_of, scope="module"
)
async def test_a_clock_that_s3_finds_off_is_corrected_once_and_the_request_sent_by_s3s_time(
    raw_server: RawServer, client: str, file: Path, act: Act, tried: Tried
) -> None:
    """F17: if this fails, a machine whose clock drifts stops a run at the operation left out.

    What is sent by S3's time meets a refusal, which shows that it was sent, and is the end.
    """
    theirs = datetime.now(UTC) + timedelta(hours=1)
    date = (("date", format_datetime(theirs, usegmt=True)),)
    skewed = answer(403, refusal("RequestTimeTooSkewed"), headers=date)

    def is_by_theirs(seen: Seen) -> bool:
        said = datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
        return abs(said - theirs) < timedelta(minutes=30)

    raw_server.forget()
    raw_server.script = lambda seen: s3(418, "TeapotError") if is_by_theirs(seen) else skewed
    async with opened_calls(
        client, Connection(endpoint_url=raw_server.endpoint_url), KeptEvents()
    ) as calls:
        with pytest.raises(StoreFault) as caught:
            await act.call(adapters(calls, quick_retries(1), file))
    assert caught.value.disposition is (SETTLE if act.is_write else FAIL), caught.value
    sent = [is_by_theirs(seen) for seen in raw_server.seen]
    # HEAD has no code, so that its question is asked first.
    assert sent == ([False, False, True] if act.operation == "HeadObject" else [False, True])
    tried(Row.WIRE_CELLS, 1)
