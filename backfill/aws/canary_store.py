"""The port CanaryStore on the SDK: one conditional PutObject.

Never sent twice: a canary that may be there already is looked for by whoever sent it.
Law: only an ETag is a success.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode

from backfill.aws import requests
from backfill.aws.batch_bucket import uploaded
from backfill.aws.calls import READ_TIMEOUT_S, Call, Calls
from backfill.model.attributes import Encryption, EncryptionKind, Pairs
from backfill.model.jobs import Uploaded
from backfill.model.places import BucketPlace


class S3CanaryStore:
    """CanaryStore over the calls of one identity."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def put_canary(
        self, place: BucketPlace, key: str, body: bytes, *, tags: Pairs, metadata: Mapping[str, str]
    ) -> Uploaded:
        """Put an object under an absent key, encrypted as the bucket's default says."""
        default = Encryption(kind=EncryptionKind.NONE)
        parameters = {
            **requests.put_parameters(place, key, encryption=default, content_type="text/plain"),
            "Body": body,
            "Metadata": dict(metadata),
            # SHA256 is kept by S3 and goes with the replica, whatever encrypts it there.
            "ChecksumSHA256": b64encode(hashlib.sha256(body).digest()).decode(),
        }
        if tags:
            parameters["Tagging"] = urlencode(tags)
        call = Call(
            operation="PutObject",
            region=place.region,
            parameters=parameters,
            limit_s=READ_TIMEOUT_S,
        )
        return await self._calls.send(call, uploaded)
