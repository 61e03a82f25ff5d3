"""Keys of SSE-C objects: read strictly, shown nowhere, tried in an order that costs little."""

import base64
import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backfill.aws.calls import Calls
from backfill.aws.customer_keys import (
    FILE_BYTES_MAX,
    KEYS_MAX,
    NO_KEYS,
    PREFIXES_MAX,
    CustomerKey,
    CustomerKeys,
    customer_keys_of,
    is_for_all,
    key_md5,
    read_customer_keys,
    reading,
)
from backfill.aws.faults import store_fault
from backfill.aws.lean.binding import bind
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.requests import copy_parameters
from backfill.errors import CampaignError, Disposition, StoreFault
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.store import MultipartUpload
from tests.unit.aws.lean.test_binding import agrees
from tests.unit.aws.test_requests import RecordingCalls, SentError
from tests.wire.aws import operations as ops

DRAW = random.Random(6)


def new_key() -> str:
    return base64.b64encode(DRAW.randbytes(32)).decode()


def keys_of(*texts: str) -> tuple[CustomerKey, ...]:
    return customer_keys_of("\n".join(texts).encode(), "keys")


def md5_of(text: str) -> str:
    return base64.b64encode(
        hashlib.md5(base64.b64decode(text), usedforsecurity=False).digest()
    ).decode()


FIRST, SECOND, THIRD = new_key(), new_key(), new_key()


def test_a_file_holds_keys_comments_and_empty_lines() -> None:
    """Whoever edits such a file on another system must not be told that a key is none."""
    data = f"# of 2019\r\n\r\n  {FIRST}  # the old one\r\n{SECOND}".encode()
    found = customer_keys_of(data, "keys")
    assert [str(own.text) for own in found] == [FIRST, SECOND]
    assert [own.md5 for own in found] == [md5_of(FIRST), md5_of(SECOND)]


WRONG = {
    "a short key": (base64.b64encode(b"x" * 31).decode(), "line 1 is no 256-bit key in base64"),
    "a long key": (base64.b64encode(b"x" * 33).decode(), "line 1 is no 256-bit key in base64"),
    "hexadecimal": ("ab" * 32, "line 1 is no 256-bit key in base64"),
    "no base64": ("#\n" + "!" * 44, "line 2 is no 256-bit key in base64"),
    "of the URL's alphabet": ("_" * 43 + "=", "line 1 is no 256-bit key in base64"),
    "twice": (f"{FIRST}\n#\n{FIRST}", "line 3 repeats the key of line 1"),
    "nothing": ("# nothing\n\n", "holds no key"),
    "no text": ("é" * 22, "line 1 is no 256-bit key in base64"),
    "too many": ("\n".join(new_key() for _ in range(KEYS_MAX + 1)), "at most 64 are tried"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_key_is_named_by_its_line_and_never_shown(name: str) -> None:
    """A slip in a file of secrets must not put the secret into a terminal's history."""
    text, complaint = WRONG[name]
    with pytest.raises(CampaignError, match=complaint) as refused:
        customer_keys_of(text.encode(), "keys")
    said = f"{refused.value} {refused.value.hint} {refused.value.__cause__!r}"
    assert not any(line and line in said for line in text.split() if len(line) > 20)


def test_a_file_that_cannot_be_read_or_is_no_such_file_is_refused(tmp_path: Path) -> None:
    """A disk image given by mistake must not be read to its end."""
    with pytest.raises(CampaignError, match="No such file"):
        read_customer_keys(str(tmp_path / "absent"))
    with pytest.raises(CampaignError, match="Is a directory"):
        read_customer_keys(str(tmp_path))
    huge = tmp_path / "huge"
    huge.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(CampaignError, match="larger than 64 KiB"):
        read_customer_keys(str(huge))


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_that_all_may_read_is_noticed(tmp_path: Path, mode: int, is_open: bool) -> None:
    """Keys that everybody on a machine can read are keys of everybody."""
    file = tmp_path / "keys"
    file.write_text(FIRST)
    file.chmod(mode)
    assert is_for_all(str(file)) is is_open
    assert read_customer_keys(str(file))


def test_no_representation_shows_a_key() -> None:
    """A dictionary of parameters in an error, or a tuple in a debugger's line, would."""
    (own,) = keys_of(FIRST)
    shown = f"{own!r} {own} {dict(reading(own))!r} {[own]!r} {CustomerKeys([own])!r}"
    assert FIRST not in shown
    assert md5_of(FIRST) in shown


# --- which key is tried when ---


class Locked:
    """Objects under keys, by prefix, that count what they were asked."""

    def __init__(self, locks: dict[str, str | None]) -> None:
        self.locks = locks
        self.asked: list[str | None] = []

    async def read(self, keys: CustomerKeys, key: str) -> str:
        async def ask(own: CustomerKey | None) -> str:
            sent = None if own is None else own.md5
            self.asked.append(sent)
            lock = self.locks[key]
            if sent == lock:
                return key
            raise refusal(400 if sent is None or lock is None else 403)

        return await keys.tried(ask, "bucket", key)


def refusal(status: int, code: str = "") -> StoreFault:
    return store_fault(
        operation="HeadObject",
        code=code or ("InvalidRequest" if status == 400 else str(status)),
        status=status,
        bucket="bucket",
    )


async def test_the_key_that_fitted_a_prefix_goes_first_there() -> None:
    """Asking each object twice, or with each key, would double the cost of a plan, or worse."""
    keys = CustomerKeys(keys_of(FIRST, SECOND, THIRD))
    third, second = md5_of(THIRD), md5_of(SECOND)
    objects = Locked({"a/1": third, "a/2": third, "b/1": second, "a/3": None, "a/4": None})
    await objects.read(keys, "a/1")
    assert objects.asked == [None, md5_of(FIRST), second, third]
    for key, asked in {
        "a/2": [third],
        "b/1": [None, md5_of(FIRST), second],
        "a/3": [third, None],
        "a/4": [None],
    }.items():
        objects.asked.clear()
        assert await objects.read(keys, key) == key
        assert objects.asked == asked, key


async def test_a_key_that_nobody_supplied_is_what_s3_says_without_one() -> None:
    """The plan takes that for its reason, and a person must not be told of a denial instead."""
    keys = CustomerKeys(keys_of(FIRST, SECOND))
    objects = Locked({"a/1": md5_of(FIRST), "a/2": md5_of(THIRD)})
    await objects.read(keys, "a/1")
    with pytest.raises(StoreFault) as refused:
        await objects.read(keys, "a/2")
    assert (refused.value.code, refused.value.status) == ("InvalidRequest", 400)


@pytest.mark.parametrize(
    "fault",
    [refusal(403, "AccessDenied"), refusal(404, "NoSuchKey"), refusal(503, "SlowDown")],
    ids=str,
)
async def test_no_key_is_tried_on_a_refusal_of_another_kind(fault: StoreFault) -> None:
    """A denied identity would be denied once for each key, and a slow store asked for more."""
    asked: list[CustomerKey | None] = []

    async def ask(own: CustomerKey | None) -> str:
        asked.append(own)
        raise fault

    with pytest.raises(StoreFault) as raised:
        await CustomerKeys(keys_of(FIRST)).tried(ask, "bucket", "k")
    assert raised.value is fault
    assert asked == [None]


async def test_the_memory_of_prefixes_is_bounded() -> None:
    """A bucket with a prefix for each object would fill the machine."""
    keys, md5 = CustomerKeys(keys_of(FIRST)), md5_of(FIRST)
    names = [f"{number}/k" for number in range(PREFIXES_MAX + 10)]
    objects = Locked(dict.fromkeys(names, md5))
    for name in names:
        await objects.read(keys, name)
    assert len(keys._last) == PREFIXES_MAX
    objects.asked.clear()
    await objects.read(keys, names[-1])
    assert objects.asked == [md5]


# --- what is sent ---

SSE_C = Encryption(kind=EncryptionKind.SSE_C, customer_key_md5=md5_of(SECOND))
UPLOAD = MultipartUpload(
    destination=ops.DESTINATION, key="k", upload_id="u", customer_key_md5=md5_of(SECOND)
)
KEYED: dict[str, Callable[[S3ObjectStore], Awaitable[object]]] = {
    "CopyObject": lambda store: store.copy_object(ops.copy_request()._replace(encryption=SSE_C)),
    "UploadPartCopy": lambda store: store.upload_part_copy(
        replace(ops.part_request(), upload=UPLOAD)
    ),
    "CreateMultipartUpload": lambda store: store.create_multipart_upload(
        replace(ops.create_request(), encryption=SSE_C)
    ),
    "CompleteMultipartUpload": lambda store: store.complete_multipart_upload(
        replace(ops.complete_request(), upload=UPLOAD)
    ),
    "ListParts": lambda store: store.list_parts(UPLOAD),
}
FROM_SOURCE = {"CopyObject", "UploadPartCopy"}


@pytest.mark.parametrize("operation", KEYED)
async def test_what_touches_an_object_under_a_key_sends_it(operation: str) -> None:
    """Without the key on one of them a copy fails half way; without it on Create it is weaker."""
    calls = RecordingCalls()
    keys = CustomerKeys(keys_of(FIRST, SECOND))
    with pytest.raises(SentError):
        await KEYED[operation](S3ObjectStore(cast("Calls", calls), keys))
    (call,) = calls.sent
    agrees(operation, call.parameters)
    headers = bind(operation, call.parameters).headers
    sides = ["x-amz-server-side-encryption-customer-"]
    sides += ["x-amz-copy-source-server-side-encryption-customer-"] * (operation in FROM_SOURCE)
    for side in sides:
        assert headers[f"{side}algorithm"] == "AES256"
        assert headers[f"{side}key"] == SECOND
        assert headers[f"{side}key-md5"] == md5_of(SECOND)
    assert "x-amz-server-side-encryption" not in headers


@pytest.mark.parametrize("operation", KEYED)
async def test_without_its_key_nothing_is_sent(operation: str) -> None:
    """A resume without the file of keys would write copies that anybody with access can read."""
    calls = RecordingCalls()
    store = S3ObjectStore(cast("Calls", calls), CustomerKeys(keys_of(FIRST)))
    with pytest.raises(StoreFault) as refused:
        await KEYED[operation](store)
    fault = refused.value
    assert (fault.code, fault.disposition) == ("CustomerKeyMissing", Disposition.FAIL)
    assert not fault.is_ambiguous
    assert not calls.sent
    with pytest.raises(StoreFault, match="CustomerKeyMissing"):
        await KEYED[operation](S3ObjectStore(cast("Calls", calls), NO_KEYS))


def test_other_encryptions_have_no_customer_key() -> None:
    """A key sent with another encryption is refused by S3, and the copy fails."""
    assert key_md5(None) is None
    assert key_md5(Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn")) is None
    assert not [name for name in copy_parameters(ops.copy_request()) if "Customer" in name]
