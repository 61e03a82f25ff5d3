"""All questions about one key: each of its versions at each destination, asked until decided.

Never fetches: it says what it needs, is told, and decides again. Holds one key's chains.
Law: it yields exactly one entry for each source version at each destination, in order.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from backfill.model.looks import look_of_listed
from backfill.model.objects import ListedEntry, ObjectVersion, VersionId
from backfill.plan.chains import IndexedChain
from backfill.plan.decide import decide
from backfill.plan.decisions import Decision, Move, Question, Stay
from backfill.plan.engines import KeyEngine, UnreadHeads, engine_of
from backfill.plan.entries import DestinationSeen, PlanEntry
from backfill.plan.facts import Facts, HeadAnswer, HeadName, Needs, SourceFacts
from backfill.plan.history import decide_history, doubtful_versions
from backfill.plan.routes import PLAIN, Route
from backfill.plan.terms import Terms

ROUNDS_MAX = 7
"""Rounds of reading for one key: null replicas (and so the engine), heads, tags, what the
destination has of a history, what it has where it is none, ACL, and the last decision."""
_UNDECIDED = Needs(engine=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNeeds:
    """What must be read about a key next. Source reads are by version ID, shared by all rows."""

    heads: frozenset[VersionId]
    tags: frozenset[VersionId]
    acls: frozenset[VersionId]
    destination_heads: frozenset[HeadName]


class KeyPlan:
    """The plan of one key."""

    def __init__(
        self,
        source_chain: Sequence[ListedEntry],
        destination_chains: Sequence[Sequence[ListedEntry]],
        terms: Terms,
    ) -> None:
        assert source_chain, "a key without source versions has nothing to plan"
        assert len(destination_chains) == len(terms.destinations), "a chain for each destination"
        self._terms = terms
        self._source = IndexedChain.of(source_chain)
        self._destinations = [IndexedChain.of(chain) for chain in destination_chains]
        self._engine = engine_of(self._source, self._destinations, {}, terms)
        self._questions = [
            Question(
                entry=entry,
                destination=n,
                source_chain=self._source,
                destination_chain=chain,
                engine=self.engine,
            )
            for entry in source_chain
            for n, chain in enumerate(self._destinations)
        ]
        key = source_chain[0].key
        self._histories: Sequence[int] = ()
        if terms.brings_histories:
            numbers = range(len(terms.destinations))
            self._histories = [n for n in numbers if terms.may_bring_history(key, n)]
        self._decide_all()

    def _decide_all(self) -> None:
        if self._histories:
            self._decisions: list[Decision] = [_UNDECIDED] * len(self._questions)
            self._decide(range(len(self._questions)))
        else:
            self._decisions = [decide(question, self._terms) for question in self._questions]
        self._open = self._places_open(range(len(self._decisions)))

    def _decide(self, places: Collection[int]) -> None:
        """Decide these places anew; those of a history are all of its destination's, or none."""
        count = len(self._destinations)
        for place in places:
            if place % count not in self._histories:
                self._decisions[place] = decide(self._questions[place], self._terms)
        for number in self._histories:
            if number in places:
                questions = self._questions[number::count]
                self._decisions[number::count] = decide_history(questions, self._terms)

    @property
    def engine(self) -> KeyEngine | None:
        """Which engine has the key; None while the heads that decide it are not read."""
        return self._engine if isinstance(self._engine, KeyEngine) else None

    @property
    def engine_heads(self) -> frozenset[HeadName]:
        """The destination versions whose heads decide about the engine; empty: it is decided."""
        return self._engine.heads if isinstance(self._engine, UnreadHeads) else frozenset()

    @property
    def source_chain(self) -> Sequence[ListedEntry]:
        """The key's source versions and delete markers, newest first."""
        return self._source.entries

    def needs(self) -> KeyNeeds | None:
        """Return what must be read before everything can be decided; None when nothing must."""
        if not self._open:
            return None
        heads, tags, acls = set[VersionId](), set[VersionId](), set[VersionId]()
        destination_heads = set[HeadName]()
        # All at once, whoever asks: what is open now may hang on the engine when it has read.
        destination_heads |= self.engine_heads
        for place in self._open:
            question, decision = self._questions[place], self._decisions[place]
            assert isinstance(decision, Needs), "what is open needs something"
            version_id = question.entry.version_id
            if decision.source_head:
                heads.add(version_id)
            if decision.tags:
                tags.add(version_id)
            if decision.acl:
                acls.add(version_id)
            destination_heads.update((question.destination, v) for v in decision.destination_heads)
        return KeyNeeds(
            heads=frozenset(heads),
            tags=frozenset(tags),
            acls=frozenset(acls),
            destination_heads=frozenset(destination_heads),
        )

    def learn(
        self,
        sources: Mapping[VersionId, SourceFacts],
        destination_heads: Mapping[HeadName, HeadAnswer],
    ) -> None:
        """Take everything that was read so far and decide again what was open.

        So is what goes by Batch Replication already: a version may be read for one destination
        only, and what that tells holds for all.
        """
        if not isinstance(self._engine, KeyEngine):
            self._engine = engine_of(
                self._source, self._destinations, destination_heads, self._terms
            )
        places: Collection[int] = self._open
        if self._terms.delivery.batch:
            places = [place for place, each in enumerate(self._decisions) if _may_change(each)]
        places = self._with_histories(places)
        heads: list[dict[VersionId, HeadAnswer]] = [{} for _ in self._destinations]
        for (n, version_id), head in destination_heads.items():
            heads[n][version_id] = head
        for place in places:
            question = self._questions[place]
            source = sources.get(question.entry.version_id, question.facts.source)
            facts = Facts(source=source, destination_heads=heads[question.destination])
            self._questions[place] = question._replace(facts=facts, engine=self.engine)
        self._decide(places)
        self._open = self._places_open(places)

    def _with_histories(self, places: Collection[int]) -> Collection[int]:
        """Return places, and with one of a history all of it: one version decides about others."""
        if not self._histories:
            return places
        count, all_places = len(self._destinations), range(len(self._questions))
        touched = {place % count for place in places}.intersection(self._histories)
        return sorted({*places, *(place for n in touched for place in all_places[n::count])})

    def suppose(self, engine: KeyEngine) -> None:
        """Decide everything again as if the key were this engine's; a forecast asks what if."""
        self._engine = engine
        self._questions = [question._replace(engine=engine) for question in self._questions]
        self._decide_all()

    def suppose_no_history(self) -> None:
        """Decide everything again as if no version could go with others of its key."""
        self._histories = ()
        self._decide_all()

    @property
    def doubtful_heads(self) -> frozenset[HeadName]:
        """The destination versions that histories may ask for once it is known what they hold."""
        count = len(self._destinations)
        return frozenset(
            (n, version_id)
            for n in self._histories
            for version_id in doubtful_versions(self._questions[n::count], self._terms)
        )

    def _places_open(self, places: Iterable[int]) -> list[int]:
        return [place for place in places if isinstance(self._decisions[place], Needs)]

    def decided(self) -> Iterator[tuple[Question, Decision]]:
        """Give every question with its decision."""
        return zip(self._questions, self._decisions, strict=True)

    def entries(self, first_number: int) -> Iterator[PlanEntry]:
        """Give the rows of the plan, numbered from `first_number`."""
        for place, (question, decision) in enumerate(self.decided()):
            assert not isinstance(decision, Needs), "all is decided"
            yield plan_entry(first_number + place, question, decision, self._terms)


def _may_change(decision: Decision) -> bool:
    is_batch = isinstance(decision, Move) and decision.route is Route.BATCH_REPLICATION
    return is_batch or isinstance(decision, Needs)


def plan_entry(number: int, question: Question, decision: Move | Stay, terms: Terms) -> PlanEntry:
    """Return the row of a decision."""
    entry, rule = question.entry, decision.rule
    moved = decision if isinstance(decision, Move) else None
    is_object = isinstance(entry, ObjectVersion)
    return PlanEntry(
        number=number,
        key=entry.key,
        version_id=entry.version_id,
        is_delete_marker=not is_object,
        is_latest=entry.is_latest,
        last_modified=entry.last_modified,
        etag=entry.etag if isinstance(entry, ObjectVersion) else None,
        size_bytes=entry.size_bytes if isinstance(entry, ObjectVersion) else 0,
        destination=question.destination,
        route=moved.route if moved else None,
        reason=decision.reason if isinstance(decision, Stay) else None,
        detail=decision.detail,
        rule_id=rule.id if rule else "",
        storage_class=moved.storage_class if moved else "",
        encryption=moved.encryption if moved else None,
        precondition=moved.precondition if moved else None,
        seen=_seen(_holder(decision) or question.destination_chain.current),
        has_other_writers=terms.has_other_writers(entry.key, question.destination),
        replicates_delete_markers=rule.replicates_delete_markers if rule else False,
        handling=moved.handling if moved else PLAIN,
        source_look=_look(question, terms) if moved else None,
    )


def _holder(decision: Move | Stay) -> ListedEntry | None:
    return decision.holder if isinstance(decision, Stay) else None


def _look(question: Question, terms: Terms) -> str | None:
    entry, head = question.entry, question.facts.source.head
    if not terms.is_quiet or head is None or not isinstance(entry, ObjectVersion):
        return None
    return look_of_listed(entry, head)


def _seen(current: ListedEntry | None) -> DestinationSeen | None:
    if current is None:
        return None
    return DestinationSeen(
        version_id=current.version_id,
        is_delete_marker=not isinstance(current, ObjectVersion),
        etag=current.etag if isinstance(current, ObjectVersion) else None,
    )
