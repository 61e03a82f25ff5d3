"""The reads that a key's decisions ask for: heads, tags and ACLs of versions, answered or refused.

Never decides and never lists. A refusal of one version becomes a fact about it; what is nobody's
but the store's is raised.
Law: no more is read than a decision asked for, and each source version once for all destinations.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from backfill.errors import StoreFault
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import VersionId
from backfill.plan.facts import HeadAnswer, HeadName, Refusal, SourceFacts, refusal_of
from backfill.plan.failures import Failures
from backfill.plan.forecast import Requests
from backfill.plan.header import PlanHeader
from backfill.plan.key_plan import ROUNDS_MAX, KeyNeeds, KeyPlan
from backfill.ports import ObjectStore

NOTHING_KNOWN: Final[Mapping[VersionId, SourceFacts]] = MappingProxyType({})


class Reads:
    """Reads that decisions ask for, counted. Each source version is read once for all rows."""

    def __init__(
        self, header: PlanHeader, source_store: ObjectStore, destination_store: ObjectStore
    ) -> None:
        self._header = header
        self._source_store = source_store
        self._destination_store = destination_store
        self.source: Final = header.source
        self.head_object: Final = source_store.head_object
        self.failures: Final = Failures()
        self._heads = self._destination_heads = self._taggings = self._acls = 0

    @property
    def sent(self) -> Requests:
        """The requests that were sent so far."""
        return Requests(
            heads=self._heads,
            destination_heads=self._destination_heads,
            taggings=self._taggings,
            acls=self._acls,
        )

    async def settle(
        self, key: str, plan: KeyPlan, known: Mapping[VersionId, SourceFacts] = NOTHING_KNOWN
    ) -> None:
        """Read until everything about a key is decided; what is `known` is not read again."""
        sources = dict(known)
        destination_heads: dict[HeadName, HeadAnswer] = {}
        if sources:
            plan.learn(sources, destination_heads)
        for _ in range(ROUNDS_MAX):
            needs = plan.needs()
            if needs is None:
                return
            await self._read_sources(key, needs, sources)
            for name in sorted(needs.destination_heads):
                destination_heads[name] = await self._destination_head(key, name)
            plan.learn(sources, destination_heads)
        assert plan.needs() is None, "reads settle every decision"

    def refuse_if_nothing_was_read(self) -> None:
        """Raise when no version at all could be read by one of the calls."""
        self.failures.refuse_if_all()

    async def source_head(self, key: str, version_id: VersionId) -> ObjectHead | Refusal:
        """Read the head of a source version, or why it cannot be read."""
        place = self._header.source
        try:
            head = await self._source_store.head_object(place, key, version_id=version_id)
        except StoreFault as fault:
            return self.refused_head(fault)
        self.note_heads(1)
        return head

    def refused_head(self, fault: StoreFault) -> Refusal:
        """Count a HEAD of the source that failed; return why that version cannot be read."""
        self._heads += 1
        return self.failures.note(fault, refusal_of(fault), self._header.source.bucket)

    def note_heads(self, answered: int) -> None:
        """Count HEADs of the source that were answered; whoever sent them calls it once for all."""
        self._heads += answered
        if answered:
            self.failures.note_answer("HeadObject", self._header.source.bucket)

    async def _read_sources(
        self, key: str, needs: KeyNeeds, sources: dict[VersionId, SourceFacts]
    ) -> None:
        for version_id in sorted(needs.heads | needs.tags | needs.acls):
            facts = sources.get(version_id, SourceFacts())
            sources[version_id] = await self._read_source(key, version_id, needs, facts)

    async def _read_source(
        self, key: str, version_id: VersionId, needs: KeyNeeds, facts: SourceFacts
    ) -> SourceFacts:
        if version_id in needs.heads:
            head = await self.source_head(key, version_id)
            if isinstance(head, Refusal):
                return facts._replace(refusal=head)
            facts = facts._replace(head=head)
        try:
            if version_id in needs.tags:
                facts = facts._replace(tags=await self._tags(key, version_id))
            if version_id in needs.acls:
                facts = await self._with_acl(key, version_id, facts)
        except StoreFault as fault:
            bucket = self._header.source.bucket
            refusal = self.failures.note(fault, refusal_of(fault), bucket)
            return facts._replace(refusal=refusal)
        return facts

    async def _tags(self, key: str, version_id: VersionId) -> Pairs:
        self._taggings += 1
        store, place = self._source_store, self._header.source
        tags = await store.get_object_tagging(place, key, version_id=version_id)
        self.failures.note_answer("GetObjectTagging", place.bucket)
        return tags

    async def _with_acl(self, key: str, version_id: VersionId, facts: SourceFacts) -> SourceFacts:
        self._acls += 1
        store, place = self._source_store, self._header.source
        acl = await store.object_acl(place, key, version_id=version_id)
        self.failures.note_answer("GetObjectAcl", place.bucket)
        return facts._replace(acl=acl)

    async def _destination_head(self, key: str, name: HeadName) -> HeadAnswer:
        destination, version_id = name
        self._destination_heads += 1
        place = self._header.destinations[destination]
        try:
            head = await self._destination_store.head_object(place, key, version_id=version_id)
        except StoreFault as fault:
            self.failures.note(fault, refusal_of(fault), place.bucket)
            return None
        self.failures.note_answer("HeadObject", place.bucket)
        return head
