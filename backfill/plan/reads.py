"""The reads that a key's decisions ask for: heads, tags and ACLs of versions, answered or refused.

Never decides and never lists. A refusal of one version becomes a fact about it; what is nobody's
but the store's is raised.
Law: no more is read than a decision asked for, and each source version once for all destinations.
"""

from dataclasses import replace

from backfill.errors import StoreFault
from backfill.model.attributes import Pairs
from backfill.model.objects import VersionId
from backfill.plan.facts import HeadAnswer, HeadName, SourceFacts, refusal_of
from backfill.plan.failures import Failures
from backfill.plan.forecast import Requests
from backfill.plan.header import PlanHeader
from backfill.plan.key_plan import ROUNDS_MAX, KeyNeeds, KeyPlan
from backfill.ports import ObjectStore


class Reads:
    """Reads that decisions ask for, counted. Each source version is read once for all rows."""

    def __init__(
        self, header: PlanHeader, source_store: ObjectStore, destination_store: ObjectStore
    ) -> None:
        self._header = header
        self._source_store = source_store
        self._destination_store = destination_store
        self._failures = Failures()
        self.sent = Requests()

    async def settle(self, key: str, plan: KeyPlan) -> None:
        """Read until everything about a key is decided."""
        sources: dict[VersionId, SourceFacts] = {}
        destination_heads: dict[HeadName, HeadAnswer] = {}
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
        self._failures.refuse_if_all()

    async def _read_sources(
        self, key: str, needs: KeyNeeds, sources: dict[VersionId, SourceFacts]
    ) -> None:
        for version_id in sorted(needs.heads | needs.tags | needs.acls):
            facts = sources.get(version_id, SourceFacts())
            try:
                if version_id in needs.heads:
                    facts = await self._with_head(key, version_id, facts)
                if version_id in needs.tags:
                    facts = replace(facts, tags=await self._tags(key, version_id))
                if version_id in needs.acls:
                    facts = await self._with_acl(key, version_id, facts)
            except StoreFault as fault:
                bucket = self._header.source.bucket
                refusal = self._failures.note(fault, refusal_of(fault), bucket)
                facts = replace(facts, refusal=refusal)
            sources[version_id] = facts

    async def _with_head(self, key: str, version_id: VersionId, facts: SourceFacts) -> SourceFacts:
        self.sent += Requests(heads=1)
        store, place = self._source_store, self._header.source
        head = await store.head_object(place, key, version_id=version_id)
        self._failures.note_answer("HeadObject", place.bucket)
        return replace(facts, head=head)

    async def _tags(self, key: str, version_id: VersionId) -> Pairs:
        self.sent += Requests(taggings=1)
        store, place = self._source_store, self._header.source
        tags = await store.get_object_tagging(place, key, version_id=version_id)
        self._failures.note_answer("GetObjectTagging", place.bucket)
        return tags

    async def _with_acl(self, key: str, version_id: VersionId, facts: SourceFacts) -> SourceFacts:
        self.sent += Requests(acls=1)
        store, place = self._source_store, self._header.source
        is_default = await store.has_default_acl(place, key, version_id=version_id)
        self._failures.note_answer("GetObjectAcl", place.bucket)
        return replace(facts, has_default_acl=is_default)

    async def _destination_head(self, key: str, name: HeadName) -> HeadAnswer:
        destination, version_id = name
        self.sent += Requests(destination_heads=1)
        place = self._header.destinations[destination]
        try:
            head = await self._destination_store.head_object(place, key, version_id=version_id)
        except StoreFault as fault:
            self._failures.note(fault, refusal_of(fault), place.bucket)
            return None
        self._failures.note_answer("HeadObject", place.bucket)
        return head
