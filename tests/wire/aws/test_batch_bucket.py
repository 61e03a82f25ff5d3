"""Uploads and reads of the batch bucket, through every way in which a request can be lost."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore import auth

from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.calls import Calls
from backfill.aws.session import AwsSession, Connection
from backfill.errors import StoreFault
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.jobs import Uploaded
from backfill.model.objects import ETag
from tests.wire.aws.conftest import KeptEvents, quick_retries
from tests.wire.aws.operations import SOURCE
from tests.wire.aws.raw_server import CLOSE, RESET, Action, RawServer, Seen, Send, answer
from tests.wire.aws.service_faults import refusal, s3
from tests.wire.aws.test_session import access_key, write_credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "backfill/run/manifest-00.csv"
BYTES = b"source,key,version\n" * 1000
MD5 = hashlib.md5(BYTES, usedforsecurity=False).hexdigest()
SHA256 = b64encode(hashlib.sha256(BYTES).digest()).decode()
SSE_S3 = Encryption(kind=EncryptionKind.SSE_S3)
STORED = answer(200, headers=(("etag", f'"{MD5}"'), ("x-amz-version-id", "v1")))

HEAD_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "our bytes, told by the MD5 ETag": (("etag", f'"{MD5}"'),),
    "our bytes under SSE-S3": (("etag", f'"{MD5}"'), ("x-amz-server-side-encryption", "AES256")),
    "our bytes under SSE-KMS, told by SHA256": (
        ("etag", '"opaque"'),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-checksum-sha256", SHA256),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ),
    "other bytes": (("etag", f'"{"0" * 32}"'),),
    "other bytes with our ETag": (
        ("etag", f'"{MD5}"'),
        ("x-amz-checksum-sha256", "AAAA"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ),
    "nobody knows: KMS without a checksum": (
        ("etag", f'"{MD5}"'),
        ("x-amz-server-side-encryption", "aws:kms"),
    ),
}


def head(name: str, size_bytes: int = len(BYTES)) -> Send:
    modified = ("last-modified", "Sun, 22 Nov 2026 10:00:00 GMT")
    headers = (*HEAD_OF[name], modified, ("x-amz-version-id", "v7"))
    return answer(200, b"", headers=headers, length=size_bytes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "manifest.csv"
    written.write_bytes(BYTES)
    return written


def methods(server: RawServer) -> list[str]:
    return [seen.method for seen in server.seen]


@pytest.mark.parametrize(
    ("encryption", "sent"),
    [
        (SSE_S3, {"x-amz-server-side-encryption": "AES256"}),
        (Encryption(kind=EncryptionKind.NONE), {}),
        (
            Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:k"),
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "arn:k",
            },
        ),
    ],
)
async def test_a_file_is_uploaded_onto_an_absent_key_with_its_digests_and_its_encryption(
    batch_bucket: S3BatchBucket,
    raw_server: RawServer,
    path: Path,
    encryption: Encryption,
    sent: dict[str, str],
) -> None:
    """If this fails, S3 Batch Operations cannot read the manifest, or reads a stranger's."""
    raw_server.script = lambda _: STORED
    found = await batch_bucket.put_file(SOURCE, KEY, path, encryption=encryption)
    assert found == Uploaded(etag=ETag(MD5), version_id="v1")
    (seen,) = raw_server.seen
    assert (seen.method, seen.body) == ("PUT", BYTES)
    expected = {
        "if-none-match": "*",
        "x-amz-expected-bucket-owner": SOURCE.expected_owner,
        "content-type": "text/csv",
        "content-md5": b64encode(bytes.fromhex(MD5)).decode(),
        "x-amz-checksum-sha256": SHA256,
        "content-length": str(len(BYTES)),
        **sent,
    }
    assert {name: seen.headers.get(name) for name in expected} == expected
    encryptions = {name for name in seen.headers if "encryption" in name}
    assert encryptions == set(sent)


@pytest.mark.parametrize("version", ["null", ""])
async def test_a_bucket_without_versions_gives_none_to_pin(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path, version: str
) -> None:
    """If this fails, a job is pinned to a version ID that may name other bytes tomorrow."""
    headers = (("etag", '"e"'), *([("x-amz-version-id", version)] if version else []))
    raw_server.script = lambda _: answer(200, headers=headers)
    found = await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert found == Uploaded(etag=ETag("e"), version_id=None)


LOST: dict[str, Action] = {
    "refused, something is there": s3(412, "PreconditionFailed"),
    "conflict": s3(409, "ConditionalRequestConflict"),
    "reset": RESET,
    "closed": CLOSE,
    "in trouble": s3(500, "InternalError"),
    "no ETag": answer(200),
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("there", [name for name in HEAD_OF if name.startswith("our bytes")])
async def test_an_upload_whose_answer_was_lost_is_done_when_its_bytes_are_there(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path, lost: str, there: str
) -> None:
    """If this fails, a crash between upload and journal stops every later attempt."""
    raw_server.script = lambda seen: head(there) if seen.method == "HEAD" else LOST[lost]
    found = await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert found == Uploaded(etag=ETag(HEAD_OF[there][0][1].strip('"')), version_id="v7")
    assert methods(raw_server) == ["PUT", "HEAD"]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "there", [head(name) for name in HEAD_OF if not name.startswith("our bytes")]
    + [head("our bytes, told by the MD5 ETag", 3)],
    ids=[*[name for name in HEAD_OF if not name.startswith("our bytes")], "other size"],
)  # fmt: skip
async def test_other_bytes_under_the_key_are_never_overwritten_or_taken_for_ours(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path, lost: str, there: Send
) -> None:
    """If this fails, a job works through the list of another run."""
    raw_server.script = lambda seen: there if seen.method == "HEAD" else LOST[lost]
    with pytest.raises(StoreFault, match="nothing was overwritten") as caught:
        await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert (caught.value.code, caught.value.status) == ("PreconditionFailed", 412)
    assert not caught.value.is_ambiguous
    assert methods(raw_server) == ["PUT", "HEAD"]


@pytest.mark.parametrize("lost", LOST)
async def test_an_upload_that_left_nothing_is_sent_again_whole(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path, lost: str
) -> None:
    """If this fails, one lost connection in a day of uploads ends the run."""
    script = iter([LOST[lost], answer(404), STORED])
    raw_server.script = lambda _: next(script)
    found = await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert found.etag == MD5
    assert methods(raw_server) == ["PUT", "HEAD", "PUT"]
    assert [seen.body for seen in raw_server.seen] == [BYTES, b"", BYTES]


async def test_an_upload_is_given_up_after_its_attempts(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path
) -> None:
    """If this fails, a bucket that takes nothing holds the run for ever."""
    raw_server.script = lambda _: s3(503, "SlowDown")
    with pytest.raises(StoreFault) as caught:
        await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert caught.value.code == "SlowDown"
    assert methods(raw_server) == ["PUT"] * 3


@pytest.mark.parametrize("code", ["AccessDenied", "BadDigest", "KMS.NotFoundException"])
async def test_an_upload_that_is_refused_is_not_sent_again(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path, code: str
) -> None:
    """If this fails, a missing permission is asked for six times."""
    raw_server.script = lambda _: s3(403, code)
    with pytest.raises(StoreFault) as caught:
        await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert caught.value.code == code
    assert methods(raw_server) == ["PUT"]


async def test_an_upload_that_may_not_be_looked_at_says_which_permission_it_lacks(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path
) -> None:
    """If this fails, a person reads of a lost connection where s3:GetObject is missing."""
    raw_server.script = lambda seen: RESET if seen.method == "PUT" else s3(403, "AccessDenied")
    with pytest.raises(StoreFault) as caught:
        await batch_bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert (caught.value.operation, caught.value.code) == ("HeadObject", "AccessDenied")


async def test_an_upload_under_an_expired_token_is_sent_again_from_its_first_byte(
    raw_server: RawServer, identity: pytest.MonkeyPatch, tmp_path: Path, path: Path
) -> None:
    """If this fails, the second request has no body, because the first one read the file."""
    raw_server.forget()
    credentials = tmp_path / "credentials"
    write_credentials(credentials, "AKIAFIRST")

    def script(seen: Seen) -> Action:
        if access_key(seen) == "AKIAFIRST":
            write_credentials(credentials, "AKIASECOND")
            return s3(400, "ExpiredToken")
        return STORED

    raw_server.script = script
    with identity.context() as patch:
        # awscrt comes with the sandbox only, and its signer happens to rewind.
        patch.setitem(auth.AUTH_TYPE_MAPS, "s3v4", auth.S3SigV4Auth)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        connection = Connection(endpoint_url=raw_server.endpoint_url, profile="renewed")
        async with AwsSession(connection) as session:
            bucket = S3BatchBucket(Calls(session, KeptEvents()), quick_retries())
            await bucket.put_file(SOURCE, KEY, path, encryption=SSE_S3)
    assert [seen.body for seen in raw_server.seen] == [BYTES, BYTES]


async def test_an_empty_file_is_a_file(
    batch_bucket: S3BatchBucket, raw_server: RawServer, tmp_path: Path
) -> None:
    """If this fails, an empty document cannot be uploaded."""
    path = tmp_path / "empty"
    path.touch()
    raw_server.script = lambda _: STORED
    await batch_bucket.put_file(SOURCE, "empty", path, encryption=SSE_S3)
    assert raw_server.seen[0].body == b""
    assert raw_server.seen[0].headers["content-type"] == "application/octet-stream"


# --- reading ---

DATA = bytes(range(256)) * 20_000  # about 5 MB
ETAG = ("etag", '"report-1"')


def part(seen: Seen, data: bytes = DATA, *, until: int | None = None) -> Send:
    """Answer a GetObject as S3 does; `until` cuts the connection at that byte of the object."""
    first = int(seen.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    body = data[first : len(data) if until is None else until]
    told = ("content-range", f"bytes {first}-{len(data) - 1}/{len(data)}")
    return answer(
        206 if first else 200,
        body,
        headers=(ETAG, told) if first else (ETAG,),
        length=len(data) - first,
        then="keep" if until is None else "close",
    )


async def read(bucket: S3BatchBucket) -> list[bytes]:
    return [chunk async for chunk in bucket.read_file(SOURCE, KEY)]


async def test_a_file_is_read_in_chunks_of_a_mebibyte_at_most(
    batch_bucket: S3BatchBucket, raw_server: RawServer
) -> None:
    """If this fails, a report of gigabytes is held in memory, or read from a stranger."""
    raw_server.script = part
    chunks = await read(batch_bucket)
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) <= 1024 * 1024
    (seen,) = raw_server.seen
    assert seen.headers["x-amz-expected-bucket-owner"] == SOURCE.expected_owner
    assert b"versionId" not in seen.target
    assert "if-match" not in seen.headers


async def test_a_stream_that_is_cut_goes_on_where_it_stopped_in_the_same_object(
    batch_bucket: S3BatchBucket, raw_server: RawServer
) -> None:
    """If this fails, rows of a report are read twice or never."""
    cuts = iter([0, 2_000_000, None])

    def script(seen: Seen) -> Action:
        cut = next(cuts)
        return CLOSE if cut == 0 else part(seen, until=cut)

    raw_server.script = script
    assert b"".join(await read(batch_bucket)) == DATA
    ranges = [seen.headers.get("range") for seen in raw_server.seen]
    assert ranges[:2] == [None, None]
    first = int(str(ranges[2]).removeprefix("bytes=").removesuffix("-"))
    assert 0 < first <= 2_000_000
    assert raw_server.seen[2].headers["if-match"] == '"report-1"'


BROKEN_RESUMES: dict[str, tuple[Callable[[Seen], Action], str]] = {
    "the object was replaced": (lambda _: s3(412, "PreconditionFailed"), "PreconditionFailed"),
    "the object is gone": (lambda _: s3(404, "NoSuchKey"), "NoSuchKey"),
    "the server ignores Range": (
        lambda _: answer(200, DATA, headers=(ETAG,)),
        "UnreadableReply",
    ),
    "cut again and again": (
        lambda seen: part(seen, until=1_000_000),
        "ConnectionClosedError",
    ),
}


@pytest.mark.parametrize("name", BROKEN_RESUMES)
async def test_a_stream_that_cannot_go_on_ends_in_a_fault_and_never_in_other_bytes(
    batch_bucket: S3BatchBucket, raw_server: RawServer, client: str, name: str
) -> None:
    """If this fails, two reports are glued together and add up by chance."""
    resumed, code = BROKEN_RESUMES[name]
    if client == "sdk" and code == "ConnectionClosedError":
        code = "ClientPayloadError"  # aiohttp's own name
    raw_server.script = lambda seen: (
        resumed(seen) if "range" in seen.headers else part(seen, until=1_000_000)
    )
    given = bytearray()

    async def drain() -> None:
        async for chunk in batch_bucket.read_file(SOURCE, KEY):
            given.extend(chunk)

    with pytest.raises(StoreFault) as caught:
        await drain()
    assert given
    assert DATA.startswith(given)
    assert caught.value.code == code
    assert len(raw_server.seen) <= 3


async def test_a_report_that_is_not_there_is_a_404(
    batch_bucket: S3BatchBucket, raw_server: RawServer
) -> None:
    """If this fails, a job without a report cannot be told from a broken connection."""
    raw_server.script = lambda _: s3(404, "NoSuchKey")
    with pytest.raises(StoreFault) as caught:
        await read(batch_bucket)
    assert caught.value.status == 404
    assert len(raw_server.seen) == 1


async def test_an_object_without_an_etag_is_not_gone_on_with(
    batch_bucket: S3BatchBucket, raw_server: RawServer
) -> None:
    """If this fails, what was read and what follows may be of two objects."""
    raw_server.script = lambda _: answer(200, DATA[:500], length=1000, then="close")
    with pytest.raises(StoreFault):
        await read(batch_bucket)
    assert all("range" not in seen.headers for seen in raw_server.seen)


async def test_a_message_of_a_store_is_shown_inert(
    batch_bucket: S3BatchBucket, raw_server: RawServer, path: Path
) -> None:
    """If this fails, a hostile key moves the terminal's cursor."""
    raw_server.script = lambda seen: (
        head("other bytes") if seen.method == "HEAD" else answer(412, refusal("PreconditionFailed"))
    )
    with pytest.raises(StoreFault) as caught:
        await batch_bucket.put_file(SOURCE, "a\x1b[2Jb", path, encryption=SSE_S3)
    assert "\x1b" not in caught.value.message
