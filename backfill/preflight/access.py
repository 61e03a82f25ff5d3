"""Whether each need is met: the decision over both sides' documents, the simulator's word with it.

Never reads anything: documents that were denied are handed on as unread.
Law: IAM's simulator speaks of a role's own policies only, so across accounts both sides are still
put together here; where the two disagree, nobody can tell.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from backfill.model.accounts import (
    BucketDocument,
    RawDocument,
    Role,
    SimulatedEffect,
    Unread,
    event_destination_kind,
)
from backfill.policies import request as policies
from backfill.policies.context import Every, Said, context_of
from backfill.policies.evaluation import Decision, Evidence, Verdict, decision
from backfill.policies.need import Party
from backfill.policies.principals import PrincipalType, service
from backfill.policies.quoting import shown
from backfill.policies.request import Documents, Place, Reading, Request, reading_of
from backfill.preflight.evidence import BucketEvidence, Gathered, KeyEvidence, Simulation
from backfill.preflight.findings import Mend
from backfill.preflight.mends import receiver_command, with_statements
from backfill.preflight.permissions import Need, at_this_time
from backfill.setup.statements import sending

IDENTITY: Final = frozenset({Place.IDENTITY, Place.BOUNDARY, Place.SESSION, Place.SERVICE_CONTROL})
RESOURCE: Final = frozenset({Place.RESOURCE, Place.RESOURCE_CONTROL})
TRUST: Final = "trust policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A need and what became of it."""

    need: Need
    decision: Decision

    def lacks(self, side: frozenset[Place]) -> bool:
        """Whether this side must allow it and does not."""
        is_lacking = self.decision.verdict is Verdict.IMPLICIT_DENY
        return is_lacking and not side.isdisjoint(self.decision.lacks)

    def denying(self, side: frozenset[Place]) -> tuple[Evidence, ...]:
        """Return the statements of this side that deny it."""
        if self.decision.verdict is not Verdict.EXPLICIT_DENY:
            return ()
        return tuple(each for each in self.decision.evidence if each.place in side)

    def pending(self, side: frozenset[Place]) -> tuple[Evidence, ...]:
        """Return what of this side leaves it open."""
        if self.decision.verdict is not Verdict.CANNOT_TELL:
            return ()
        return tuple(each for each in self.decision.evidence if each.place in side)


def judged(seen: Gathered, needs: Iterable[Need]) -> tuple[Judged, ...]:
    """Decide every need whose role is known by its ARN."""
    return tuple(_judged(seen, need) for need in needs)


def _judged(seen: Gathered, need: Need) -> Judged:
    first = _decided(seen, need)
    if first.verdict is Verdict.CANNOT_TELL and isinstance(need.request.resource, Every):
        # A policy for some of the keys leaves "every key" open; that one of them fails is sure.
        parts: tuple[Said, ...] = _denied_parts(seen, need, need.request.resource)
        for part in (need.sample, *parts):
            one = replace(need, request=replace(need.request, resource=part))
            if (told := _decided(seen, one)).is_denied:
                first = replace(told, request=first.request)
                break
    if need.instead and not first.is_allowed:
        other = _decided(seen, replace(need, request=replace(need.request, action=need.instead)))
        if other.is_allowed:
            return Judged(need=need, decision=other)
    return Judged(need=need, decision=first)


PARTS_MAX: Final = 32
"""Prefixes of Deny statements that are asked about; a policy has room for a few more."""


def _denied_parts(seen: Gathered, need: Need, whole: Every) -> tuple[Every, ...]:
    """Return the parts of the campaign's scope of which a Deny speaks: prefixes, and no others."""
    scope = seen.campaign.scope.prefix
    held = _documents(need)
    readings = (*held.identity, held.boundary, held.resource)
    patterns = (
        pattern
        for reading in readings
        if isinstance(reading, policies.Held)
        for statement in reading.document.statements
        if statement.effect == "Deny" and not statement.is_not_resource
        for pattern in statement.resources or ()
    )
    prefixes = (each[:-1] for each in patterns if each.endswith("*") and each != "*")
    plain = dict.fromkeys(
        each
        for each in prefixes
        if each.startswith(whole.prefix) and not set(each) & set("*?$")
        and (_key_of(each).startswith(scope) or scope.startswith(_key_of(each)))
    )  # fmt: skip
    return tuple(Every(prefix=each) for each in islice(plain, PARTS_MAX))


def _key_of(arn: str) -> str:
    return arn.partition("/")[2]


def _documents(need: Need) -> Documents:
    return Documents(identity=_identity(need), boundary=_boundary(need), resource=_resource(need))


def _decided(seen: Gathered, need: Need) -> Decision:
    request, documents = need.request, _documents(need)
    local = decision(request, documents)
    arn = request.principal.arn
    asked = Simulation(principal_arn=arn, action=request.action, resource_arn=need.sample)
    effect = seen.simulations.get(asked)
    return local if effect is None else _with_simulator(request, documents, local, effect)


def _with_simulator(
    request: Request, documents: Documents, local: Decision, effect: SimulatedEffect
) -> Decision:
    """Put the simulator's word in the place of the identity's side.

    Its no is final: it knows service control policies, too. Its yes is about one key: where the
    role's own documents, all read, say otherwise of the others, it is open.
    """
    account_id = request.principal.account_id
    statement = {"Action": request.action, "Resource": "*"}
    if effect is SimulatedEffect.IMPLICIT_DENY:
        told = decision(request, replace(documents, identity=(), boundary=None))
        return told if local.is_allowed else local if local.is_denied else told
    word = "Allow" if effect is SimulatedEffect.ALLOWED else "Deny"
    document = {"Version": "2012-10-17", "Statement": [{"Effect": word, **statement}]}
    heard = reading_of("IAM's simulator", account_id, document)
    told = decision(request, replace(documents, identity=(heard,), boundary=None))
    if effect is SimulatedEffect.EXPLICIT_DENY:
        # The role's own document that denies is the one to mend; a control policy is not there.
        return local if local.verdict is Verdict.EXPLICIT_DENY else told
    was_read = not any(isinstance(each, policies.Unread) for each in documents.identity)
    says_no = local.is_denied and not IDENTITY.isdisjoint(_places(local))
    if was_read and says_no:
        # What the resource's policy leaves open, or refuses, is behind the role's own no.
        ours = tuple(each for each in local.evidence if each.place in IDENTITY)
        others = () if told.is_allowed else told.evidence
        return replace(local, verdict=Verdict.CANNOT_TELL, evidence=(*ours, *others))
    return local if was_read and local.verdict is Verdict.CANNOT_TELL else told


def _places(told: Decision) -> frozenset[Place]:
    named = {each.place for each in told.evidence}
    return frozenset(told.lacks) if told.lacks else frozenset(named)


def identity_name(kind: str, name: str) -> str:
    """Return how evidence calls a role's policy; `mends` find it again by this."""
    return shown(f"{kind} policy {name}")


INLINE: Final = "inline"
ATTACHED: Final = "attached"
BOUNDARY: Final = "permissions boundary"
"""How evidence calls it."""


def _identity(need: Need) -> tuple[Reading, ...]:
    role, account_id = need.role.role, need.role.account_id
    if need.request.principal.type is PrincipalType.ROOT:
        return ()  # an account's root has no policies of its own
    if need.request.principal.type is PrincipalType.USER:
        why = (
            "preflight reads no user's policies (nor its groups'), and IAM's simulator did not tell"
        )
        return (policies.Unread(name="the user's policies", account_id=account_id, reason=why),)
    if not isinstance(role, Role):
        why = role.code if isinstance(role, Unread) else "the role does not exist"
        return (policies.Unread(name="the role's policies", account_id=account_id, reason=why),)
    inline = ((identity_name(INLINE, name), text) for name, text in role.inline.items())
    attached = ((identity_name(ATTACHED, arn), text) for arn, text in role.attached.items())
    return tuple(reading_of(name, account_id, text) for name, text in (*inline, *attached))


def _boundary(need: Need) -> Reading | None:
    role, account_id = need.role.role, need.role.account_id
    if not isinstance(role, Role) or role.boundary is None:
        return None
    if isinstance(role.boundary, Unread):
        return policies.Unread(name=BOUNDARY, account_id=account_id, reason=role.boundary.code)
    return reading_of(BOUNDARY, account_id, role.boundary)


def _resource(need: Need) -> Reading | None:
    if need.key is not None:
        return key_reading(need.key)
    return None if need.bucket is None else bucket_reading(need.bucket)


def bucket_reading(bucket: BucketEvidence) -> Reading | None:
    """Return a bucket's policy for the evaluator."""
    found = bucket.documents.get(BucketDocument.POLICY)
    return _reading(found, f"policy of bucket {bucket.name}", bucket.account_id)


def key_reading(key: KeyEvidence) -> Reading | None:
    """Return a key's policy for the evaluator."""
    return _reading(key.policy, f"policy of key {key.arn}", key.account_id)


def _reading(found: RawDocument | Unread | None, name: str, account_id: str) -> Reading | None:
    if found is None:
        return None
    if isinstance(found, Unread):
        return policies.Unread(name=name, account_id=account_id, reason=found.code)
    return reading_of(name, account_id, found.text)


def trust_decision(seen: Gathered, role: Role, party: Party) -> Decision:
    """Decide whether a service of S3 may assume a role.

    Whether it says on whose behalf (aws:SourceArn, aws:SourceAccount) AWS does not document: a
    condition on them that asks for another account or bucket is known to fail, one that fits is
    open.
    """
    account_id = role.arn.split(":")[4]
    possible: dict[str, tuple[str | None, ...]] = {
        "aws:SourceAccount": (seen.source.account_id or account_id, None)
    }
    if party is Party.REPLICATION_SERVICE:
        possible["aws:SourceArn"] = (seen.source.arn, None)
    request = Request(
        principal=service(party.value),
        action="sts:AssumeRole",
        resource=role.arn,
        resource_account_id=account_id,
        context=context_of(absent=("sts:ExternalId",), possible=possible).beside(
            at_this_time(seen)
        ),
    )
    return decision(request, Documents(resource=reading_of(TRUST, account_id, role.trust)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAccess:
    """Whether S3 may send events, and what lets it."""

    decision: Decision
    mend: Mend

    @property
    def is_allowed(self) -> bool:
        """Whether it may for certain."""
        return self.decision.is_allowed

    @property
    def is_denied(self) -> bool:
        """Whether it may not for certain."""
        return self.decision.is_denied

    @property
    def lines(self) -> tuple[str, ...]:
        """Why."""
        return self.decision.lines


def event_action(arn: str) -> str:
    """Return what S3 must be allowed to do with a queue, topic or function."""
    return {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(
        event_destination_kind(arn).value, "lambda:InvokeFunction"
    )


def event_access(seen: Gathered, arn: str) -> EventAccess:
    """Decide whether S3 may send this bucket's events to a queue, topic or function."""
    source, account_id = seen.source, arn.split(":")[4]
    known = {"aws:SourceArn": source.arn, "aws:SourceAccount": source.account_id}
    request = Request(
        principal=service(Party.REPLICATION_SERVICE.value),
        action=event_action(arn),
        resource=arn,
        resource_account_id=account_id,
        context=context_of(known).beside(at_this_time(seen)),
    )
    found = seen.receivers.get(arn)
    reading = _reading(found, f"policy of {arn}", account_id)
    statement = sending("BackfillPreflight", arn, source.arn, source.account_id)
    fields = found.fields if isinstance(found, RawDocument) else None
    policy = with_statements(fields, [statement])
    mend = Mend(
        says="Let S3 send the events of this bucket there",
        account_id=account_id,
        commands=(receiver_command(arn, policy, source.arn, source.account_id),),
        statements=(statement,),
    )
    return EventAccess(decision=decision(request, Documents(resource=reading)), mend=mend)
