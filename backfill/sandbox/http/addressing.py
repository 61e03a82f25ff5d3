"""What a request names: bucket and key, path style or virtual-hosted style, or an account.

Never normalises: `//`, `.` and `..` are parts of keys. One law: the path is split before it is
decoded, and decoded once (S3 User Guide: VirtualHosting, object-keys).
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.refusals import refused

_HOSTS = ("localhost", "s3.localhost")
"""Names under which `bucket.NAME` is virtual-hosted; any other host is path style."""
_LOOPBACK = ("127.0.0.1", *_HOSTS)
_ACCOUNT_HOST = re.compile(r"([0-9]{12})\..+", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What the request is about; both None for the service itself."""

    bucket: str | None
    key: str | None


def address_of(request: HttpRequest) -> Address:
    """The bucket and key named. Raises S3Error for bytes that are no UTF-8."""
    bucket = _bucket_in_host(request.header("host") or "")
    rest = request.raw_path.removeprefix(b"/")
    if bucket is None:
        raw_bucket, _, rest = rest.partition(b"/")
        bucket = _decoded(raw_bucket) or None
        if bucket is None and rest:
            raise refused(
                code="InvalidBucketName",
                status=400,
                message="The specified bucket is not valid.",
                fact="S3 User Guide: bucketnamingrules",
                members=(("BucketName", ""),),
            )
    return Address(bucket=bucket, key=_decoded(rest) or None)


def account_in_host(host: str) -> str | None:
    """The account ID that SDKs put before the host of S3 Control; None without one."""
    found = _ACCOUNT_HOST.fullmatch(host)
    return None if found is None else found[1]


def is_own_host(host: str) -> bool:
    """Whether the name stands for this server: loopback, or an account of S3 Control."""
    name = _without_port(host)
    is_local = name in _LOOPBACK or name.endswith(".localhost")
    return is_local or account_in_host(name) is not None


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host else host


def _bucket_in_host(host: str) -> str | None:
    name = _without_port(host)
    for base in sorted(_HOSTS, key=len, reverse=True):
        if name.endswith(f".{base}"):
            bucket = name.removesuffix(f".{base}")
            return None if f"{bucket}.{base}" in _HOSTS else bucket
    return None


def _decoded(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(
            code="InvalidURI",
            status=400,
            message="Couldn't parse the specified URI.",
            fact="S3 API: Error responses, InvalidURI",
            members=(("URI", raw.decode("latin-1")),),
        ) from error
