"""What a multipart copy is made of: the pinned source, what is re-supplied, and the parts.

Never reads a store.
Law: one digest is one source version, one set of attributes, one layout of parts.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backfill.execute.parts import PartRange
from backfill.model.objects import ChecksumType
from backfill.model.store import (
    CopiedPart,
    CopySource,
    CreateMultipartUploadRequest,
    ListedPart,
)

_DIGEST_BYTES = 16
"""Enough that nobody meets two uploads with one digest by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """An upload before it is opened: its source, what it is created with, its parts in order."""

    source: CopySource
    request: CreateMultipartUploadRequest
    ranges: tuple[PartRange, ...]

    def digest(self) -> str:
        """Return a digest of all that decides what the upload will hold.

        Whose it says the buckets are is left out: that is checked by every request. If a later
        release writes the same otherwise, its digest differs, and the upload is begun anew.
        """
        source, request = self.source, self.request
        made_of = (
            (source.place.bucket, source.key, source.version_id, source.etag),
            (request.destination.bucket, request.key, request.storage_class, request.encryption),
            (request.metadata, request.content_headers, request.tags),
            (request.checksum_algorithm, request.checksum_type, request.extras),
            tuple((part.number, part.first_byte, part.last_byte) for part in self.ranges),
        )
        text = repr(made_of).encode()  # which escapes lone surrogates by itself
        return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()

    def copied_parts(self, listed: Iterable[ListedPart]) -> Mapping[int, CopiedPart] | None:
        """Return those of an upload's parts that need no copying; None: it is no upload of ours.

        A part of another size, or with a number beyond ours, is nothing that we have copied.
        """
        sizes = {part.number: part.last_byte - part.first_byte + 1 for part in self.ranges}
        found = {}
        for part, size_bytes in listed:
            if sizes.get(part.part_number) != size_bytes:
                return None
            if self._can_complete(part):
                found[part.part_number] = part
        return found

    def _can_complete(self, part: CopiedPart) -> bool:
        """Whether Complete may name it: COMPOSITE needs the checksum of each part (S3 API)."""
        algorithms = {checksum.algorithm for checksum in part.checksums}
        is_composite = self.request.checksum_type is ChecksumType.COMPOSITE
        return not is_composite or self.request.checksum_algorithm in algorithms
