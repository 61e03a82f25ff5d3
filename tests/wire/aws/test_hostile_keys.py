"""Keys leave byte for byte as they are, and signed as they are."""

from urllib.parse import parse_qs, quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backfill.aws.object_store import S3ObjectStore
from backfill.errors import StoreFault
from backfill.model.objects import VersionId
from backfill.model.store import VersionsPosition
from tests.wire.aws.conftest import SECRET_KEY
from tests.wire.aws.operations import OPERATIONS, READS, SOURCE, copy_request
from tests.wire.aws.raw_server import RawServer, Seen, answer
from tests.wire.aws.sigv4 import is_signed_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE_KEYS = (
    ".",
    "..",
    "./a",
    "../a",
    "a/../b",
    "a/./b",
    "a//b",
    "//a",
    "/",
    "/a",
    "a/",
    "a b",
    "a+b",
    "a%2Fb",
    "a%2fb",
    "%",
    "%zz",
    "a?b",
    "a#b",
    "a&b=c",
    "a\nb",
    "a\r\nb: c",
    "\x01\x1f\x7f",
    "é",
    "\u202e\ufeff",
    "\U0010ffff",
    "~!*'()",
    "\\..\\a",
    "http://elsewhere/x",
    "x" * 1024,
)
"""Keys that some HTTP library decodes, normalises, splits or encodes twice."""

ON_OBJECTS = [name for name in OPERATIONS if name != "ListObjectVersions"]


def is_signed_for_key(seen: Seen, path: str, region: str) -> bool:
    return is_signed_for(seen, path, secret_key=SECRET_KEY, region=region)


async def sent(raw_server: RawServer, store: S3ObjectStore, operation: str, key: str) -> Seen:
    raw_server.forget()
    raw_server.script = lambda _: answer(404)
    with pytest.raises(StoreFault):
        await OPERATIONS[operation](store, key)
    (seen,) = raw_server.seen
    return seen


@pytest.mark.parametrize("operation", ON_OBJECTS)
@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
async def test_a_hostile_key_leaves_byte_exact_and_rightly_signed(
    store: S3ObjectStore, raw_server: RawServer, operation: str, key: str
) -> None:
    """Else another object is read or written than the one that was meant."""
    seen = await sent(raw_server, store, operation, key)
    is_of_source = operation in READS and operation != "ListParts"
    bucket, region = (
        ("source-bucket", "us-east-1") if is_of_source else ("destination-bucket", "eu-west-1")
    )
    path = seen.target.partition(b"?")[0].decode("ascii")
    assert path == f"/{bucket}/" + quote(key, safe="/-._~")
    assert is_signed_for_key(seen, f"/{bucket}/{key}", region)


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
async def test_a_hostile_key_is_named_byte_exact_as_copy_source(
    store: S3ObjectStore, raw_server: RawServer, key: str
) -> None:
    """The source travels in a header, with rules of encoding of its own."""
    for operation in ("CopyObject", "UploadPartCopy"):
        seen = await sent(raw_server, store, operation, key)
        source, _, version = seen.headers["x-amz-copy-source"].partition("?versionId=")
        assert unquote(source, errors="strict") == f"source-bucket/{key}"
        assert version == "version-1"


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
async def test_a_listing_resumes_after_exactly_the_key_that_it_was_given(
    store: S3ObjectStore, raw_server: RawServer, key: str
) -> None:
    """A marker that is altered on its way skips keys or loops for ever."""
    raw_server.script = lambda _: answer(404)
    after = VersionsPosition(key=key, version_id=VersionId("v+/= 1"))
    with pytest.raises(StoreFault):
        await store.list_object_versions(SOURCE, prefix=key, after=after)
    (seen,) = raw_server.seen
    query = seen.target.partition(b"?")[2].decode("ascii").replace("+", "%2B")
    values = parse_qs(query, keep_blank_values=True)
    assert values["key-marker"] == [key]
    assert values["prefix"] == [key]
    assert values["version-id-marker"] == ["v+/= 1"]
    assert values["encoding-type"] == ["url"]
    assert is_signed_for_key(seen, "/source-bucket", "us-east-1")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
async def test_any_key_leaves_byte_exact_and_rightly_signed(
    store: S3ObjectStore, raw_server: RawServer, key: str
) -> None:
    """The list above holds what was thought of; this holds the rest."""
    raw_server.forget()
    raw_server.script = lambda _: answer(404)
    with pytest.raises(StoreFault):
        await store.copy_object(copy_request(key))
    (seen,) = raw_server.seen
    assert is_signed_for_key(seen, f"/destination-bucket/{key}", "eu-west-1")
    assert unquote(seen.headers["x-amz-copy-source"]).startswith(f"source-bucket/{key}?")
