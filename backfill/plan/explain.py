"""The proof for one version: what each rule says, what was read, and what follows.

Never decides again: it shows the very decisions that a plan holds.
Law: every rule of every destination appears, with what it did or what excluded it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from backfill.model.attributes import EncryptionKind, ObjectHead
from backfill.model.escaping import visible_text
from backfill.model.objects import DeleteMarker, ListedEntry, VersionId
from backfill.model.store import IfReplaces
from backfill.plan.decisions import Decision, Move, Question, Stay
from backfill.plan.evaluation import winning_rule
from backfill.plan.facts import Needs
from backfill.plan.key_plan import KeyPlan
from backfill.plan.reasons import REASON_TEXTS, ROUTE_TEXTS
from backfill.plan.routes import Handling, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Terms
from backfill.plan.totals import NOT_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFinding:
    """What one rule says about the version."""

    rule_id: str
    finding: str
    is_winner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationProof:
    """The proof for one destination. `decision` is a route or a reason."""

    bucket: str
    rules: tuple[RuleFinding, ...]
    facts: tuple[str, ...]
    decision: str
    is_moved: bool
    sentence: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The proof for one source version or delete marker at every destination."""

    key: str
    version_id: str
    entry: str
    destinations: tuple[DestinationProof, ...]


def explanation_of(plan: KeyPlan, version_id: VersionId, terms: Terms) -> Explanation:
    """Return the proof for one version of a key whose plan is decided."""
    proofs = [
        (question.entry, _proof(question, decision, terms))
        for question, decision in plan.decided()
        if question.entry.version_id == version_id
    ]
    assert proofs, "the version is one of the key's"
    entry = proofs[0][0]
    return Explanation(
        key=entry.key,
        version_id=version_id,
        entry=_entry_words(entry),
        destinations=tuple(proof for _, proof in proofs),
    )


def explanation_document(explanation: Explanation) -> dict[str, object]:
    """Return the proof as JSON keeps it, the key as it is."""
    return {"schema": "backfill.explanation/1", **asdict(explanation)}


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """Give the proof for a terminal; nothing in it can move a cursor or end a line."""
    yield visible_text(f"{explanation.key} (version {explanation.version_id})")
    yield f"  {visible_text(explanation.entry)}"
    for proof in explanation.destinations:
        yield f"to {proof.bucket}: {proof.decision}"
        yield f"  {visible_text(' '.join(filter(None, (proof.sentence, _after(proof.detail)))))}"
        if proof.remedy:
            yield f"  remedy: {proof.remedy}"
        for rule in proof.rules:
            mark = "*" if rule.is_winner else "-"
            yield f"  {mark} rule {visible_text(rule.rule_id)}: {visible_text(rule.finding)}"
        yield from (f"  . {visible_text(fact)}" for fact in proof.facts)


def _after(detail: str) -> str:
    return f"({detail})" if detail else ""


def _proof(question: Question, decision: Decision, terms: Terms) -> DestinationProof:
    assert not isinstance(decision, Needs), "all is decided"
    moved = isinstance(decision, Move)
    text = (
        REASON_TEXTS[decision.reason] if isinstance(decision, Stay) else ROUTE_TEXTS[decision.route]
    )
    destination = terms.destinations[question.destination]
    return DestinationProof(
        bucket=destination.bucket,
        rules=tuple(_findings(question, destination.rules)),
        facts=tuple(_facts(question, decision)),
        decision=(decision.reason if isinstance(decision, Stay) else decision.route).value,
        is_moved=moved,
        sentence=text.sentence,
        detail=decision.detail,
        remedy=text.remedy,
    )


def _findings(question: Question, rules: tuple[Rule, ...]) -> Iterator[RuleFinding]:
    entry = question.entry
    is_marker = isinstance(entry, DeleteMarker)
    tags = () if is_marker else question.facts.source.known_tags
    winner = winning_rule(rules, entry.key, tags)
    for rule in rules:
        finding = _exclusion(rule, question)
        is_winner = rule is winner
        if not finding and is_winner:
            finding = "; ".join(filter(None, ("matches and wins", _reservation(rule, question))))
        elif not finding and isinstance(winner, Rule):
            finding = f"matches, but rule {winner.id!r} has the higher priority"
        yield RuleFinding(
            rule_id=rule.id,
            finding=finding or "covers the key; its tags were not needed",
            is_winner=is_winner,
        )


def _exclusion(rule: Rule, question: Question) -> str:
    """Return what excludes the version from a rule; empty when nothing certainly does."""
    entry, tags = question.entry, question.facts.source.known_tags
    if not rule.covers(entry.key):
        return f"prefix {rule.prefix!r} does not cover the key"
    if not rule.is_enabled:
        return "is Disabled"
    if rule.tags and isinstance(entry, DeleteMarker):
        return "filters by tags, which delete markers do not have"
    if rule.tags and tags is None:
        return "covers the key; its tags were not needed"
    missing = [f"{name}={value}" for name, value in rule.tags if (name, value) not in (tags or ())]
    return f"the object lacks the tags {', '.join(missing)}" if missing else ""


def _reservation(rule: Rule, question: Question) -> str:
    """Return what the winning rule leaves out all the same."""
    head = question.facts.source.head
    if isinstance(question.entry, DeleteMarker) and not rule.replicates_delete_markers:
        return "but does not replicate delete markers"
    kms = {EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS}
    if head is not None and head.encryption.kind in kms and not rule.selects_kms:
        return "but does not select KMS-encrypted objects"
    return ""


def _facts(question: Question, decision: Move | Stay) -> Iterator[str]:
    entry, current = question.entry, question.destination_chain.current
    holder = decision.holder if isinstance(decision, Stay) else None
    yield (
        f"at the destination: {_entry_words(current)}, version {current.version_id}"
        if current is not None
        else "at the destination: the key is absent"
    )
    source = question.facts.source
    if source.head is not None:
        yield f"source HEAD: {_head_words(source.head)}"
    if source.tags is not None:
        yield f"source tags: {', '.join(f'{k}={v}' for k, v in source.tags) or 'none'}"
    if source.acl is not None:
        yield f"source ACL: {'the default' if source.acl.is_default else 'grants more'}"
    if source.refusal is not None:
        yield f"a read of the source was refused: {source.refusal.detail}"
    # Of a history all that was read there belongs to all of its versions; this is one of them.
    of_this = holder or current, question.destination_chain.by_version_id.get(entry.version_id)
    for version_id, head in sorted(question.facts.destination_heads.items()):
        if all(each is None or each.version_id != version_id for each in of_this):
            continue
        words = _head_words(head) if head is not None else "could not be read"
        yield f"destination HEAD of {version_id}: {words}"
    if question.engine is not None and question.engine.why_not_batch:
        yield question.engine.why_not_batch
    if holder is not None:
        yield f"stands for it there: {_entry_words(holder)}, version {holder.version_id}"
    if isinstance(decision, Move):
        yield f"would be {_guard_words(decision)}"


def _guard_words(move: Move) -> str:
    if move.route is Route.BATCH_REPLICATION:
        return "replicated by S3 under its own version ID and time, as a job asks for it"
    if move.handling & Handling.HISTORY:
        return f"written in its turn, oldest first, over what was written before; {NOT_KEPT}"
    if move.precondition is None:
        return "written without a precondition: S3 has none for a marker onto an absent key"
    if isinstance(move.precondition, IfReplaces):
        return f"written only over the object with ETag {move.precondition.etag}"
    return "written only if no object is current there"


def _head_words(head: ObjectHead) -> str:
    words = (
        head.storage_class or "STANDARD",
        head.archive_status or "",
        f"encryption {head.encryption.kind.value or 'none'}",
        f"replication status {head.replication_status.value or 'none'}",
        f"{head.tag_count} tags",
    )
    return ", ".join(filter(None, words))


def _entry_words(entry: ListedEntry) -> str:
    place = "current" if entry.is_latest else "noncurrent"
    when = entry.last_modified.isoformat()
    if isinstance(entry, DeleteMarker):
        return f"a {place} delete marker of {when}"
    return f"a {place} version of {when}, {entry.size_bytes} bytes, ETag {entry.etag}"
