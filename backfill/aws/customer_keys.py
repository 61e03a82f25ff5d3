"""The keys of SSE-C objects: read from a file, sent with the requests that need them, kept nowhere.

S3 encrypts with a key that comes with each request, and keeps only a salted HMAC of it (S3 User
Guide: ServerSideEncryptionCustomerKeys). So whoever reads such an object, or writes one, sends the
key; a listing does not tell which objects these are, and a HEAD without the key, or with another
one, is refused.
Never sends a key itself, and never shows one: outside this package a key is known by its MD5, which
S3 tells as well (x-amz-server-side-encryption-customer-key-MD5).
Law: a request that needs a key has exactly that key, or is not made.
"""

import base64
import binascii
import hashlib
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from backfill.aws.faults import store_fault
from backfill.errors import CampaignError, StoreFault
from backfill.model.attributes import Encryption, EncryptionKind

KEYS_MAX: Final = 64
"""A HEAD that is refused is asked again with each: more of them would cost more than they open."""
FILE_BYTES_MAX: Final = 64 * 1024
"""Each key takes 45 bytes; the rest is comments."""
PREFIXES_MAX: Final = 4096
"""Prefixes whose last key is remembered; beyond them the oldest is forgotten, and costs a HEAD."""
_KEY_BYTES: Final = 32  # AES-256, the one algorithm of SSE-C

_PLACE: Final = "[access] customer-key-file"
_REFUSED: Final = frozenset({400, 403})
"""S3 refuses a key that an object does not have with 400, and another one than it has with 403."""
_ABOUT_A_KEY: Final = frozenset(
    {"400", "Bad Request", "BadRequest", "InvalidRequest", "InvalidObjectState"}
)
"""Codes of a read without a key that one may open. InvalidObjectState: a HEAD that is answered with
400 is asked for its code by a GET, and of an archived object S3 may name that state first."""

T = TypeVar("T")
Ask = Callable[["CustomerKey | None"], Awaitable[T]]
"""One read, sent with a key or without one."""


class _Hidden(str):
    """Text that a `repr` does not show, such as that of the parameters of a request."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[customer key]'"


class CustomerKey(NamedTuple):
    """One key as headers carry it: base64 of its 32 bytes, and base64 of their MD5."""

    text: str
    md5: str

    def __repr__(self) -> str:
        """Return what may be shown of it."""
        return f"CustomerKey(md5={self.md5!r})"


class CustomerKeys:
    """The keys of one process, by their MD5, and which of them fitted where. False: there are none.

    What is read of a prefix mostly has one key: the last that fitted goes first.
    """

    def __init__(self, keys: Iterable[CustomerKey] = ()) -> None:
        self._keys = {key.md5: key for key in keys}
        self._last: dict[tuple[str, str], CustomerKey] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    async def tried(self, ask: Ask[T], bucket: str, key: str) -> T:
        """Read with the key that fits, or without one where none is needed.

        Raises:
            StoreFault: as `ask`; where no key fits, what S3 says without one.
        """
        prefix = bucket, key.rpartition("/")[0]
        refusal: StoreFault | None = None
        for own in self._candidates(prefix):
            try:
                answer = await ask(own)
            except StoreFault as fault:
                is_passed_over = fault.status in _REFUSED
                if own is None:
                    refusal, is_passed_over = fault, fault.code in _ABOUT_A_KEY
                if not is_passed_over:
                    raise
            else:
                self._remember(prefix, own)
                return answer
        assert refusal is not None, "one of the attempts goes without a key"
        raise refusal

    def _candidates(self, prefix: tuple[str, str]) -> Iterator[CustomerKey | None]:
        """Give what to try: the last that fitted, no key, then all of them, the last one again.

        It may have been the token of the session that S3 refused then, renewed meanwhile.
        """
        last = self._last.get(prefix)
        if last is not None:
            yield last
        yield None
        yield from sorted(self._keys.values(), key=lambda own: own is not last)

    def _remember(self, prefix: tuple[str, str], own: CustomerKey | None) -> None:
        self._last.pop(prefix, None)
        if own is None:
            return
        if len(self._last) >= PREFIXES_MAX:
            del self._last[next(iter(self._last))]
        self._last[prefix] = own

    def writing(self, operation: str, bucket: str, md5: str | None) -> Mapping[str, object]:
        """Return the parameters of a write into an object under this key; none without one.

        Raises:
            StoreFault: There is no such key; nothing was sent.
        """
        return {} if md5 is None else reading(self._known(operation, bucket, md5))

    def copying(self, operation: str, bucket: str, md5: str | None) -> Mapping[str, object]:
        """Return the parameters of a copy from one object under this key into another.

        Raises:
            StoreFault: as `writing`.
        """
        if md5 is None:
            return {}
        own = self._known(operation, bucket, md5)
        return {**_parameters("CopySourceSSECustomer", own), **reading(own)}

    def _known(self, operation: str, bucket: str, md5: str) -> CustomerKey:
        if (own := self._keys.get(md5)) is not None:
            return own
        raise store_fault(
            operation=operation,
            code="CustomerKeyMissing",
            status=0,
            bucket=bucket,
            message=f"no key of MD5 {md5} is among the {len(self._keys)} supplied",
        )


NO_KEYS: Final = CustomerKeys()


def reading(own: CustomerKey | None) -> Mapping[str, object]:
    """Return the parameters of a read with a key; none without one."""
    return {} if own is None else _parameters("SSECustomer", own)


def key_md5(encryption: Encryption | None) -> str | None:
    """Return which key something is, or shall be, encrypted with; None for any other encryption."""
    if encryption is None or encryption.kind is not EncryptionKind.SSE_C:
        return None
    assert encryption.customer_key_md5 is not None, "a version whose key nobody has is not copied"
    return encryption.customer_key_md5


def _parameters(prefix: str, own: CustomerKey) -> Mapping[str, object]:
    # With the MD5 beside it the SDK takes the key as it is, instead of encoding it once more.
    return {
        f"{prefix}Algorithm": "AES256",
        f"{prefix}Key": own.text,
        f"{prefix}KeyMD5": own.md5,
    }


def read_customer_keys(path: str) -> CustomerKeys:
    """Return the keys of a file.

    Raises:
        CampaignError: It cannot be read, or holds something else. What it holds is not shown.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CampaignError(f"{_PLACE}: {path!r}: {error.strerror}") from error
    if len(data) > FILE_BYTES_MAX:
        raise _refused(path, "is larger than 64 KiB")
    return CustomerKeys(customer_keys_of(data, path))


def is_for_all(path: str) -> bool:
    """Return whether everybody on this machine may read a file of keys."""
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def customer_keys_of(data: bytes, path: str) -> tuple[CustomerKey, ...]:
    """Return the keys of a file's bytes: one a line, in base64; `#` begins a comment.

    Raises:
        CampaignError: See `read_customer_keys`.
    """
    found: dict[str, int] = {}
    keys = []
    for number, line in enumerate(data.splitlines(), start=1):
        text = line.partition(b"#")[0].strip()
        if not text:
            continue
        own = _key(text)
        if own is None:
            raise _refused(path, f"line {number} is no 256-bit key in base64")
        if own.md5 in found:
            raise _refused(path, f"line {number} repeats the key of line {found[own.md5]}")
        found[own.md5] = number
        keys.append(own)
    if not keys:
        raise _refused(path, "holds no key")
    if len(keys) > KEYS_MAX:
        raise _refused(path, f"holds {len(keys)} keys; at most {KEYS_MAX} are tried")
    return tuple(keys)


def _key(text: bytes) -> CustomerKey | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    if len(raw) != _KEY_BYTES:
        return None
    # MD5 is what S3's header asks for, against slips in transit.
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    return CustomerKey(_Hidden(_base64(raw)), _base64(digest))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _refused(path: str, what: str) -> CampaignError:
    return CampaignError(
        f"{_PLACE}: {path!r} {what}",
        hint="a key a line, base64 of 32 random bytes: openssl rand -base64 32; # begins a comment",
    )
