"""A key's whole history by copies: all of its versions that are asked for, oldest first, or none.

Never reads and never writes: a history worker does what is decided here, one version after another.
Law: all that is missing at a destination goes, or nothing does; a gap could never be filled later,
because a copy always becomes the current version.

What a destination has may be the beginning of the very history that would be written: an earlier
run's work, or what S3 replicated. Then only the rest goes. Anything else that is there makes the
key an ordinary one: its current version by the ordinary rules, the others stay noncurrent.

What rules and scope do not ask for is left out, as replication would leave it out. A version that
is asked for and cannot be carried whole keeps back all that are missing with it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from backfill.model.attributes import EncryptionKind
from backfill.model.objects import DeleteMarker, ListedEntry, ObjectVersion, VersionId
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.chains import content_of
from backfill.plan.decide import decide, decide_candidate
from backfill.plan.decisions import Decision, Move, Question, Stay, details
from backfill.plan.facts import Needs
from backfill.plan.routes import Handling, Reason, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Terms
from backfill.plan.wanted import asking_rule, if_held
from backfill.verify.ladder import content_proof
from backfill.verify.verdicts import Verdict

_KMS_KINDS: Final = frozenset({EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS})
_WAITING: Final = Stay(reason=Reason.HISTORY_INCOMPLETE, detail="others are not decided yet")
"""Stands for what hangs on versions that must be read first; no plan is made of it."""
_HELD: Final = "in its place in the history that the destination has the beginning of"


class _Version(NamedTuple):
    """A version, and what its rules say.

    Who is no member is left out of the history, for the reason in `answer`. Of a member `answer`
    is what the destination holds of it already, or what it is kept back for, or what must be read;
    None where it is asked for and missing (then it has a `rule`).
    """

    question: Question
    answer: Stay | Needs | None
    rule: Rule | None = None
    is_member: bool = True
    is_held: bool = False


def decide_history(questions: Sequence[Question], terms: Terms) -> list[Decision]:
    """Return the decisions for all versions of a key at one destination, newest first.

    Nobody else writes the key there (`Terms.may_bring_history`). While one of them is `Needs`, the
    others may be anything.
    """
    engine = questions[0].engine
    if engine is None or engine.is_batch:
        return [decide(question, terms) for question in questions]
    versions = [_asked(question, terms) for question in questions]
    if (foreign := _foreign(questions[0])) is not None:
        why = _barred(foreign, questions[0], terms)
        return [_as_ordinary(version, why, terms) for version in versions]
    if any(isinstance(version.answer, Needs) for version in versions):
        return [version.answer or _read_head(version.question) for version in versions]
    members = [version for version in reversed(versions) if version.is_member]
    found = _of_members(members, terms)
    if isinstance(found, str):
        return [_as_ordinary(version, found, terms) for version in versions]
    decided = iter(reversed(found))
    return [next(decided) if version.is_member else _reason(version) for version in versions]


def doubtful_versions(questions: Sequence[Question], terms: Terms) -> frozenset[VersionId]:
    """Return the destination versions that may have to be read and cannot be asked for yet.

    Before it is known which versions are asked for, nothing tells which stand beside which.
    """
    is_open = any(isinstance(_asked(question, terms).answer, Needs) for question in questions)
    if not is_open or _foreign(questions[0]) is not None:
        return frozenset()
    source, destination = questions[0].source_chain, questions[0].destination_chain
    sizes = {entry.size_bytes for entry in source.entries if isinstance(entry, ObjectVersion)}
    return frozenset(
        entry.version_id
        for entry in destination.entries
        if isinstance(entry, ObjectVersion)
        and entry.size_bytes in sizes
        and source.identified(entry) is None
    )


def _foreign(question: Question) -> ListedEntry | None:
    """Return what is at a destination that no history of this source has, whatever it leaves out.

    Told by kinds and sizes alone: for such a key no more is read than the ordinary rules ask for.
    """
    mine = reversed(question.source_chain.entries)
    for their in reversed(question.destination_chain.entries):
        if not any(_is_alike(entry, their) for entry in mine):  # goes on behind the last one met
            return their
    return None


def _is_alike(mine: ListedEntry, their: ListedEntry) -> bool:
    if isinstance(mine, ObjectVersion) and isinstance(their, ObjectVersion):
        return mine.size_bytes == their.size_bytes
    return isinstance(mine, DeleteMarker) and isinstance(their, DeleteMarker)


# --- Which versions belong to the history ---


def _asked(question: Question, terms: Terms) -> _Version:
    """Return what rules, scope and the destination's version IDs say of a version."""
    rule = asking_rule(question, terms)
    if isinstance(rule, Stay):
        return _Version(question, rule, is_member=False)
    held = if_held(question, rule, terms)
    if held is not None:
        return _Version(question, held, is_held=True)
    if isinstance(question.entry, DeleteMarker):
        if rule is not None and rule.replicates_delete_markers:
            return _Version(question, None, rule)
        unwanted = Stay(reason=Reason.DELETE_MARKER_NOT_REPLICATED, rule=rule)
        return _Version(question, unwanted, is_member=False)
    return _asked_object(question, rule, terms)


def _asked_object(question: Question, rule: Rule | None, terms: Terms) -> _Version:
    head, refusal = question.facts.source.head, question.facts.source.refusal
    if refusal is not None:
        # What is gone leaves no gap. Of what cannot be read nobody knows whether it is asked for.
        is_gone = refusal.reason is Reason.VANISHED
        refused = Stay(reason=refusal.reason, rule=rule, detail=refusal.detail)
        return _Version(question, refused, rule, is_member=not is_gone)
    is_settled = question.is_settled(rule, terms)
    if rule is None or not is_settled or not rule.selects_kms:
        if head is None:
            return _Version(question, Needs(source_head=True))
        if rule is None or not is_settled:
            return _Version(question, Needs(tags=True))
        if head.encryption.kind in _KMS_KINDS:
            detail = head.encryption.kind.value
            unwanted = Stay(reason=Reason.KMS_NOT_SELECTED, rule=rule, detail=detail)
            return _Version(question, unwanted, is_member=False)
    return _Version(question, None, rule)


def _read_head(question: Question) -> Decision:
    """Return that a version's head is to be read with the others', if there is one to read."""
    is_read = question.facts.source.head is not None or isinstance(question.entry, DeleteMarker)
    return _WAITING if is_read else Needs(source_head=True)


def _reason(version: _Version) -> Stay:
    assert isinstance(version.answer, Stay), "what is left out, or held, has a reason"
    return version.answer


def _as_ordinary(version: _Version, why: str, terms: Terms) -> Decision:
    """Return what is decided about a version of a key that is no history, and why it is none."""
    if not version.is_member and not version.question.entry.is_latest:
        return _reason(version)
    decision = decide(version.question, terms)
    if isinstance(decision, Stay) and decision.reason is Reason.NONCURRENT:
        return decision._replace(detail=details(decision.detail, why))
    return decision


# --- What becomes of them ---


def _of_members(members: Sequence[_Version], terms: Terms) -> list[Decision] | str:
    """Return the decisions for a history's versions, oldest first; or why it is no history.

    No reason is needed where the ordinary rules say the same, as of a key with one version, or
    where nothing is missing.
    """
    if all(member.is_held for member in members):
        return ""
    theirs = members[0].question.destination_chain.entries
    if not theirs and len(members) == 1 and members[0].question.entry.is_latest:
        return ""
    begun = _begun(members, tuple(reversed(theirs)), terms)
    if isinstance(begun, str):
        return begun
    rest = [_carried(member, terms) for member in members[len(begun) :]]
    if not any(isinstance(decision, Needs) for decision in (*begun, *rest)):
        before = theirs[0] if theirs else None
        rest = list(_together(members, rest, before))
    return [*begun, *rest]


def _begun(
    members: Sequence[_Version], theirs: Sequence[ListedEntry], terms: Terms
) -> list[Decision] | str:
    """Return the decisions for what the destination has already, oldest first; or why it is amiss.

    Its chain must be the beginning of the history: the same kinds in the same order, with contents
    that are proven equal.
    """
    begun: list[Decision] = []
    for place, their in enumerate(theirs):
        met = place < len(members) and _meets(members[place], their)
        if not met:
            return _barred(their, members[0].question, terms)
        member = members[place]
        if isinstance(met, Needs):
            begun.append(met)
        elif member.is_held:
            begun.append(_reason(member))
        else:
            begun.append(
                Stay(reason=Reason.ALREADY_COPIED, rule=member.rule, detail=_HELD, holder=their)
            )
    if any(member.is_held for member in members[len(theirs) :]):
        return _barred(theirs[-1], members[0].question, terms)
    return begun


def _barred(their: ListedEntry, question: Question, terms: Terms) -> str:
    """Name what is in the way of a history."""
    return (
        f"no history to {terms.destinations[question.destination].bucket}: version"
        f" {their.version_id} there is not proven to be what the history begins with"
    )


def _meets(member: _Version, their: ListedEntry) -> bool | Needs:
    """Return whether a destination's entry is proven to be this version, or what would prove it."""
    mine = member.question.entry
    if not _is_in_place(member, their):
        return False
    if isinstance(mine, DeleteMarker) or isinstance(their, DeleteMarker):
        return isinstance(mine, DeleteMarker) and isinstance(their, DeleteMarker)
    if mine.size_bytes != their.size_bytes:
        return False
    return member.is_held or content_of(mine) == content_of(their) or _is_equal(member, their)


def _is_equal(member: _Version, their: ObjectVersion) -> bool | Needs:
    """Return whether what is stored proves the content equal where the ETags differ."""
    source, heads = member.question.facts.source, member.question.facts.destination_heads
    if source.refusal is not None:
        return False
    unread = frozenset({their.version_id} - heads.keys())
    if source.head is None or unread:
        return Needs(source_head=source.head is None, destination_heads=unread)
    head = heads[their.version_id]
    return head is not None and content_proof(source.head, head).verdict is Verdict.EQUAL


def _is_in_place(member: _Version, their: ListedEntry) -> bool:
    """Return whether an entry with a source version's own ID is of this version, if it has one."""
    known = member.question.source_chain.identified(their)
    return known is None or known.version_id == member.question.entry.version_id


def _carried(member: _Version, terms: Terms) -> Decision:
    """Return how a missing version goes, or what it is kept back for."""
    if member.answer is not None:
        return member.answer
    question, rule = member.question, member.rule
    assert rule is not None, "who is asked for has a rule"
    if isinstance(question.entry, DeleteMarker):
        return Move(route=Route.DELETE_MARKER, rule=rule, precondition=None)
    if question.facts.source.head is None:
        return Needs(source_head=True)
    return decide_candidate(question, question.entry, rule, terms)


def _together(
    members: Sequence[_Version], rest: Sequence[Decision], before: ListedEntry | None
) -> Iterator[Decision]:
    """Give the decisions for what is missing: all of it goes, or none of it does."""
    first = len(members) - len(rest)
    obstacles = [
        (member.question.entry, stays)
        for member, stays in zip(members[first:], rest, strict=True)
        if isinstance(stays, Stay)
    ]
    if obstacles:
        detail = _incomplete(*obstacles[0], others=len(obstacles) - 1)
    for number, decision in enumerate(rest, first):
        member = members[number]
        if isinstance(decision, Stay):
            yield decision
        elif obstacles:
            yield Stay(reason=Reason.HISTORY_INCOMPLETE, rule=member.rule, detail=detail)
        else:
            assert isinstance(decision, Move), "all is decided"
            place = f"version {number + 1} of the {len(members)} of its history"
            yield decision._replace(
                precondition=_guard(decision, before if number == first else None),
                handling=decision.handling | Handling.HISTORY,
                detail=details(place, decision.detail),
            )


def _incomplete(entry: ListedEntry, stays: Stay, *, others: int) -> str:
    """Name the oldest version that stands in the way, and its obstacle."""
    obstacle = " ".join(filter(None, (stays.reason.value, stays.detail and f"({stays.detail})")))
    return details(
        f"version {entry.version_id} cannot be carried: {obstacle}",
        f"and {others} more of its versions" if others else None,
    )


def _guard(move: Move, before: ListedEntry | None) -> Precondition | None:
    """Return the guard of a history's write over what the destination has now, if anything.

    Later ones go over what the history itself has written, whose ETag no plan knows: who carries
    it out guards them by that. Should anybody else, they are refused rather than replace anything.
    """
    if isinstance(before, ObjectVersion):
        return IfReplaces(etag=before.etag)
    return None if move.route is Route.DELETE_MARKER else IfAbsent()
