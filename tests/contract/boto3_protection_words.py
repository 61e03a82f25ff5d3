"""Between boto3's arguments and answers and the words for protection.

Law: as `boto3_words.py`: nothing is made up.
"""

import base64
from hashlib import md5
from typing import Any

from tests.contract.protection import Grants, Lock

_GRANT_HEADERS = {
    "FULL_CONTROL": "GrantFullControl",
    "READ": "GrantRead",
    "WRITE": "GrantWrite",
    "READ_ACP": "GrantReadACP",
    "WRITE_ACP": "GrantWriteACP",
}


def lock_arguments(lock: Lock | None) -> dict[str, Any]:
    """The headers of a write."""
    if lock is None:
        return {}
    return {
        "ObjectLockMode": lock.mode,
        "ObjectLockRetainUntilDate": lock.until,
        "ObjectLockLegalHoldStatus": lock.hold,
    }


def grant_arguments(grants: Grants) -> dict[str, str]:
    """The headers of a write: a right each, with all who get it."""
    return {
        _GRANT_HEADERS[right]: ", ".join(
            f'{"uri" if "/" in grantee else "id"}="{grantee}"'
            for each, grantee in grants
            if each == right
        )
        for right, _ in grants
    }


def key_arguments(key: bytes | None, *, prefix: str = "") -> dict[str, Any]:
    """The three headers of SSE-C, the key's MD5 reckoned here; bytes of any length."""
    if key is None:
        return {}
    return {
        f"{prefix}SSECustomerAlgorithm": "AES256",
        f"{prefix}SSECustomerKey": base64.b64encode(key).decode(),
        f"{prefix}SSECustomerKeyMD5": key_md5(key),
    }


def key_md5(key: bytes) -> str:
    """How answers name a key."""
    return base64.b64encode(md5(key, usedforsecurity=False).digest()).decode()


def lock_told(answer: Any) -> Lock | None:
    """The lock that HEAD and GET say; None where they say nothing of one."""
    lock = Lock(
        mode=answer.get("ObjectLockMode"),
        until=answer.get("ObjectLockRetainUntilDate"),
        hold=answer.get("ObjectLockLegalHoldStatus"),
    )
    return None if lock == Lock() else lock
