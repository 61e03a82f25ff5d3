"""The bucket of a run directory over the wire: on the sandbox, on SeaweedFS, and on a bad store."""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from backfill.aws.calls import Calls
from backfill.aws.run_store import S3RunStore, age_s
from backfill.aws.session import AwsSession, Connection
from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag
from backfill.model.places import BucketPlace
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.own_eyes import s3_client
from tests.doubles.seaweedfs import ACCOUNT_ID, REGION, SeaweedFS
from tests.wire.aws.conftest import KeptEvents, quick_retries
from tests.wire.aws.raw_server import Action, RawServer, Seen, Send, answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSE_S3 = Encryption(kind=EncryptionKind.SSE_S3)
BUCKET = "runs-of-the-wire"


@pytest_asyncio.fixture(
    params=["sandbox", pytest.param("seaweedfs", marks=pytest.mark.seaweedfs)],
    scope="module",
    loop_scope="module",
)
async def store(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    identity: pytest.MonkeyPatch,
) -> AsyncIterator[S3RunStore]:
    """A store on a real server of each kind."""
    server: Sandbox | SeaweedFS
    if request.param == "sandbox":
        server, account, region = Sandbox(seed=3), SOURCE.account_id, SOURCE.region
    else:
        server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
        account, region = ACCOUNT_ID, REGION
    with server, identity.context() as patch:
        settings = dict(
            server.client_settings("source")
            if isinstance(server, Sandbox)
            else server.client_settings()
        )
        patch.setenv("AWS_ACCESS_KEY_ID", settings["aws_access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", settings["aws_secret_access_key"])
        with closing(s3_client(settings)) as plain:
            plain.create_bucket(Bucket=BUCKET)
        connection = Connection(endpoint_url=settings["endpoint_url"])
        place = BucketPlace(
            bucket=BUCKET, region=region, expected_owner=account, owner_origin="flag"
        )
        async with AwsSession(connection) as session:
            yield S3RunStore(Calls(session, KeptEvents()), quick_retries(), place, SSE_S3)


async def test_the_store_obeys_both_conditions_and_says_so(store: S3RunStore) -> None:
    """If this fails, a good store is refused, or a bad one is believed."""
    for _ in range(2):
        assert await store.has_conditional_writes("p/conditional-writes.txt")
    data = b"".join([chunk async for chunk in store.read_file("p/conditional-writes.txt")])
    assert data.startswith(b"backfill tries here")


async def test_the_head_is_written_only_over_what_was_read(store: S3RunStore) -> None:
    """If this fails, a zombie's next write is not void."""
    key = "p/head.json"
    assert await store.read_head(key) is None
    first = await store.write_head(key, b"1", replaces=None)
    for replaces in (None, ETag("0" * 32)):
        with pytest.raises(StoreFault) as refused:
            await store.write_head(key, b"x", replaces=replaces)
        assert (refused.value.status, refused.value.disposition) == (412, Disposition.REDECIDE)
    second = await store.write_head(key, b"2", replaces=first)
    with pytest.raises(StoreFault):
        await store.write_head(key, b"x", replaces=first)
    seen = await store.read_head(key)
    assert seen is not None
    assert (seen.data, seen.etag) == (b"2", second)
    assert seen.age_s is not None
    assert 0 <= seen.age_s < 3600


async def test_a_head_that_is_gone_is_not_replaced(store: S3RunStore) -> None:
    """If this fails, a holder brings back a run directory that its owner deleted."""
    with pytest.raises(StoreFault) as refused:
        await store.write_head("p/never.json", b"x", replaces=ETag("0" * 32))
    assert refused.value.disposition in (Disposition.SKIP, Disposition.REDECIDE)
    assert await store.read_head("p/never.json") is None


async def test_bytes_and_files_are_put_once_and_known_again(
    store: S3RunStore, tmp_path: Path
) -> None:
    """If this fails, a retry after a lost answer fails, or another's bytes pass for ours."""
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(b"rows" * 500_000)
    for _ in range(2):
        await store.put_bytes("p/1/a.json", b"{}")
        await store.put_file("p/1/rows.jsonl.gz", path)
    with pytest.raises(StoreFault, match="nothing was overwritten"):
        await store.put_bytes("p/1/a.json", b"[]")
    found = b"".join([chunk async for chunk in store.read_file("p/1/rows.jsonl.gz")])
    assert found == path.read_bytes()
    with pytest.raises(StoreFault) as missing:
        [chunk async for chunk in store.read_file("p/1/missing")]
    assert missing.value.status == 404


OK = answer(200, headers=(("etag", '"e"'),))
REFUSED = answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
UNKNOWN = answer(501, b"<Error><Code>NotImplemented</Code></Error>")


def says(*answers: Send) -> Callable[[Seen], Action]:
    """Answer in this order, whatever is asked."""
    left = list(answers)
    return lambda _: left.pop(0)


def raw_store(server: RawServer, session: AwsSession, encryption: Encryption) -> S3RunStore:
    place = BucketPlace(
        bucket="runs", region="us-east-1", expected_owner="111111111111", owner_origin="flag"
    )
    assert server.seen is not None
    return S3RunStore(Calls(session, KeptEvents()), quick_retries(), place, encryption)


@pytest.mark.parametrize(
    ("answers", "is_sound"),
    [
        ((OK, REFUSED, REFUSED), True),
        ((OK, OK), False),
        ((OK, REFUSED, OK), False),
        ((UNKNOWN,), False),
        ((OK, UNKNOWN), False),
    ],
)
async def test_a_store_that_ignores_a_condition_is_known(
    raw_server: RawServer, answers: tuple[Any, ...], *, is_sound: bool
) -> None:
    """If this fails, two runs write over each other on a store that knows no conditions."""
    raw_server.script = says(*answers)
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        store = raw_store(raw_server, session, SSE_S3)
        assert await store.has_conditional_writes("p/probe") is is_sound


@pytest.mark.parametrize(
    ("encryption", "sent"),
    [
        (SSE_S3, {"x-amz-server-side-encryption": "AES256"}),
        (
            Encryption(
                kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:k", is_bucket_key_enabled=True
            ),
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "arn:k",
                "x-amz-server-side-encryption-bucket-key-enabled": "true",
            },
        ),
    ],
)
async def test_every_write_names_owner_encryption_and_digest(
    raw_server: RawServer, encryption: Encryption, sent: dict[str, str]
) -> None:
    """If this fails, a bucket of somebody else's takes what a run knows, or in the clear."""
    raw_server.script = says(OK, OK)
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        store = raw_store(raw_server, session, encryption)
        await store.write_head("p/head.json", b"{}", replaces=ETag("e1"))
        await store.put_bytes("p/1/x.json", b"{}")
    head, document = raw_server.seen[-2:]
    for seen in (head, document):
        assert seen.headers["x-amz-expected-bucket-owner"] == "111111111111"
        assert sent.items() <= seen.headers.items()
        digest = b64encode(hashlib.sha256(b"{}").digest()).decode()
        assert seen.headers["x-amz-checksum-sha256"] == digest
    assert (head.headers["if-match"], "if-none-match" in head.headers) == ('"e1"', False)
    assert (document.headers["if-none-match"], "if-match" in document.headers) == ("*", False)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Mon, 23 Nov 2026 07:00:10 GMT", 10.0),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 06:59:59 GMT", None),
        ("yesterday", None),
        (None, None),
    ],
)
async def test_the_age_of_a_head_is_told_by_the_store_alone(
    date: str | None, expected: float | None
) -> None:
    """If this fails, this machine's clock decides who holds a run directory."""
    reply: dict[str, object] = {
        "LastModified": datetime(2026, 11, 23, 7, tzinfo=UTC),
        "ResponseMetadata": {"HTTPHeaders": {"date": date} if date else {}},
    }
    assert age_s(reply) == expected
    assert age_s({**reply, "LastModified": "soon"}) is None
