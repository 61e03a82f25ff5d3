"""The reader: carries out the looks that rows need, one request at a time for each row.

Never writes, and never decides what to read (`looks` does).
Law: a fault makes its row `unverified` and is said; only a fault that stops everything is raised.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from backfill.errors import Disposition, MissingPermissionError, StoreFault
from backfill.inventory.join import KeyGroup
from backfill.inventory.listing_laws import ListingLaws
from backfill.model.attributes import ObjectHead
from backfill.model.listed import entry_of
from backfill.model.objects import ListedEntry, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPosition
from backfill.ports import ObjectStore
from backfill.settings import LIST_PAGE_MAX
from backfill.verify.bandwidth import Bandwidth
from backfill.verify.decisions import Decision, Look
from backfill.verify.fidelity import AclPair, TagPair
from backfill.verify.ladder import parts_to_compare
from backfill.verify.looks import (
    BOTH_HEADS,
    NOTHING_SEEN,
    Need,
    Seen,
    concluded,
    is_suspect,
    next_need,
)
from backfill.verify.rows import Draft
from backfill.verify.verdicts import VerdictRow

DENIED_HEADS_MIN: Final = 20
"""From so many HEADs of a side on, a denial of every one is a missing permission and not the
objects'; below it each row says for itself that it could not be read."""

_GONE: Final = 404
_DENIED: Final = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A bucket, the store through which the right identity sees it, and its listing's artefact."""

    listing_name: str
    place: BucketPlace
    store: ObjectStore


class Reader:
    """Reads what rows need from a source and its destinations (in the plan header's order)."""

    def __init__(
        self,
        *,
        source: Side,
        destinations: tuple[Side, ...],
        is_deep: bool,
        bandwidth: Bandwidth,
        page_max: int = LIST_PAGE_MAX,
        checksum_algorithm: str = "",
    ) -> None:
        self._source = source
        self._checksum_algorithm = checksum_algorithm
        self._destinations = destinations
        self._is_deep = is_deep
        self._bandwidth = bandwidth
        self._page_max = page_max
        self.answering: set[str] = set()
        """The listing names of sides of which a HEAD was not denied. Who sends one adds to it."""
        self._denied_heads: Counter[str] = Counter()

    async def drafts(self, decisions: Iterable[Decision], seen: Seen = NOTHING_SEEN) -> list[Draft]:
        """Return a draft for each decision, in order. `seen` was read for them already.

        Raises:
            StoreFault: with disposition STOP.
        """
        return [await self._draft(decision, seen) for decision in decisions]

    async def with_source_head(self, key: str, version_id: VersionId, seen: Seen) -> Seen:
        """Return what was seen, and the head of a source version, if it can be read.

        Raises:
            StoreFault: with disposition STOP.
        """
        try:
            head = await self._head(self._source, key, version_id, None)
        except StoreFault as fault:
            return _after_fault(seen, Need.SOURCE_HEAD, fault)
        return seen._replace(source=head, tried=BOTH_HEADS)

    def after_destination_fault(self, side: Side, fault: StoreFault) -> Seen:
        """Return what was seen where a HEAD of a destination failed, which the caller sent.

        Raises:
            StoreFault: with disposition STOP.
        """
        self._note_fault(side, fault)
        return _after_fault(NOTHING_SEEN, Need.DESTINATION_HEAD, fault)

    def refuse_if_all_denied(self) -> None:
        """Say that nothing can be verified where every HEAD of a side was denied.

        Raises:
            MissingPermissionError: not a single version of a bucket could be looked at.
        """
        for side in (self._source, *self._destinations):
            denied = self._denied_heads[side.listing_name]
            if denied >= DENIED_HEADS_MIN and side.listing_name not in self.answering:
                bucket = side.place.bucket
                statement = {
                    "Effect": "Allow",
                    "Action": "s3:GetObjectVersion",
                    "Resource": f"arn:aws:s3:::{bucket}/*",
                }
                raise MissingPermissionError(
                    f"all {denied} versions to compare in {bucket!r} were denied",
                    hint=json.dumps(statement),
                )

    async def fresh_group(self, key: str) -> KeyGroup:
        """List one key on all sides.

        Destinations come first: what live replication put there is then in the source's listing,
        too, and cannot look like somebody else's.
        """
        chains = [await self._chain(side, key) for side in self._destinations]
        source = await self._chain(self._source, key)
        return KeyGroup(key=key, source_chain=source, destination_chains=tuple(chains))

    async def _chain(self, side: Side, key: str) -> tuple[ListedEntry, ...]:
        laws = ListingLaws(side.place.bucket, key)
        chain: list[ListedEntry] = []
        is_truncated = True
        # Finite: the laws admit only pages that advance, and the first other key ends it.
        while is_truncated:
            after: VersionsPosition | None = laws.position
            page = await side.store.list_object_versions(
                side.place, prefix=key, after=after, max_keys=self._page_max
            )
            listed = laws.admit(page)
            chain.extend(entry_of(cells) for cells in listed if cells[0] == key)
            is_of_key = bool(listed) and listed[-1][0] == key
            is_truncated = page.next_position is not None and is_of_key
        return tuple(chain)

    async def _draft(self, decision: Decision, seen: Seen) -> Draft:
        if not isinstance(decision, Look):
            return Draft(decision=decision, is_suspect=is_suspect(decision, None))
        if self._checksum_algorithm and decision.expected.checksum_algorithm is not None:
            wanted = decision.expected._replace(checksum_algorithm=self._checksum_algorithm)
            decision = decision._replace(expected=wanted)
        # Finite: every round adds a need to those tried, and there are five.
        while (need := next_need(decision, seen, is_deep=self._is_deep)) is not None:
            try:
                seen = await self._met(need, decision.row, seen)
                seen = seen._replace(tried=seen.tried | {need})
            except StoreFault as fault:
                seen = _after_fault(seen, need, fault)
        result = concluded(decision, seen)
        return Draft(decision=result, is_suspect=is_suspect(result, seen))

    async def _met(self, need: Need, row: VerdictRow, seen: Seen) -> Seen:
        match need:
            case Need.SOURCE_HEAD:
                return seen._replace(source=await self._source_head(row))
            case Need.DESTINATION_HEAD:
                return seen._replace(destination=await self._destination_head(row))
            case Need.TAGS:
                return seen._replace(tags=await self._tags(row))
            case Need.ACLS:
                return seen._replace(acls=await self._acls(row))
            case Need.PARTS:
                return await self._with_parts(row, seen)
            case Need.BYTES:
                return seen._replace(are_bytes_equal=await self._are_bytes_equal(row))

    async def _source_head(self, row: VerdictRow, part_number: int | None = None) -> ObjectHead:
        return await self._head(self._source, row.key, row.version_id, part_number)

    async def _destination_head(
        self, row: VerdictRow, part_number: int | None = None
    ) -> ObjectHead:
        side = self._destinations[row.destination]
        return await self._head(side, row.key, row.destination_version_id, part_number)

    async def _head(
        self, side: Side, key: str, version_id: VersionId | None, part_number: int | None
    ) -> ObjectHead:
        try:
            head = await side.store.head_object(
                side.place, key, version_id=version_id, part_number=part_number
            )
        except StoreFault as fault:
            self._note_fault(side, fault)
            raise
        self.answering.add(side.listing_name)
        return head

    def _note_fault(self, side: Side, fault: StoreFault) -> None:
        if fault.status == _DENIED:
            self._denied_heads[side.listing_name] += 1
        else:
            self.answering.add(side.listing_name)

    async def _tags(self, row: VerdictRow) -> TagPair:
        source, destination = self._source, self._destinations[row.destination]
        return TagPair(
            source=await source.store.get_object_tagging(
                source.place, row.key, version_id=row.version_id
            ),
            destination=await destination.store.get_object_tagging(
                destination.place, row.key, version_id=row.destination_version_id
            ),
        )

    async def _acls(self, row: VerdictRow) -> AclPair:
        source, destination = self._source, self._destinations[row.destination]
        return AclPair(
            source=await source.store.object_acl(source.place, row.key, version_id=row.version_id),
            destination=await destination.store.object_acl(
                destination.place, row.key, version_id=row.destination_version_id
            ),
        )

    async def _with_parts(self, row: VerdictRow, seen: Seen) -> Seen:
        """Read part sizes up to the first that differs; the last follows from the whole."""
        assert seen.source is not None, "part sizes are asked for after the heads"
        assert seen.destination is not None, "part sizes are asked for after the heads"
        count = parts_to_compare(seen.source, seen.destination)
        ours: list[int] = []
        theirs: list[int] = []
        for number in range(1, count):
            heads = (
                await self._source_head(row, number),
                await self._destination_head(row, number),
            )
            if any(head.parts_count != count for head in heads):
                return seen  # a store that does not show parts shows no layout
            ours.append(heads[0].size_bytes)
            theirs.append(heads[1].size_bytes)
            if ours != theirs:
                break
        return seen._replace(source_parts=tuple(ours), destination_parts=tuple(theirs))

    async def _are_bytes_equal(self, row: VerdictRow) -> bool:
        source, destination = self._source, self._destinations[row.destination]
        return await are_bytes_equal(
            source.store.read_object(source.place, row.key, version_id=row.version_id),
            destination.store.read_object(
                destination.place, row.key, version_id=row.destination_version_id
            ),
            self._bandwidth,
        )


def _after_fault(seen: Seen, need: Need, fault: StoreFault) -> Seen:
    """Return what was seen, with a read that failed; raise a fault that stops everything."""
    if fault.disposition is Disposition.STOP:
        raise fault
    return seen._replace(
        fault_code=fault.code,
        is_gone=seen.is_gone or fault.status == _GONE,
        failed=seen.failed | {need},
        tried=seen.tried | {need},
    )


async def are_bytes_equal(
    one: AsyncIterator[bytes], two: AsyncIterator[bytes], bandwidth: Bandwidth
) -> bool:
    """Return whether two streams carry the same bytes, however they are cut into chunks.

    Holds one chunk of each and stops at the first difference. Comparing is stronger than digests.
    """
    async with (
        aclosing(bandwidth.paced(one)) as ours,
        aclosing(bandwidth.paced(two)) as theirs,
    ):
        left, right = b"", b""
        while True:
            left = left or await anext(ours, b"")
            right = right or await anext(theirs, b"")
            if not left or not right:
                return left == right
            length = min(len(left), len(right))
            if left[:length] != right[:length]:
                return False
            left, right = left[length:], right[length:]
