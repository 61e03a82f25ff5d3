"""Under exactly the generated policies all that is needed is allowed, and under any less it is not.

The judge is the local evaluator of `backfill.policies`, which shares no code with what words the
statements; the table of needs says what is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from backfill.model.places import BucketPlace
from backfill.policies.asking import Pair, requests_for
from backfill.policies.context import context_of
from backfill.policies.evaluation import Verdict, decision
from backfill.policies.need import Feature, Need, On, Party
from backfill.policies.needs import needs_of
from backfill.policies.principals import principal_of, service
from backfill.policies.replication_needs import ON_DESTINATION_BUCKET
from backfill.policies.request import Documents, Reading, Request, reading_of
from backfill.setup.desired import wanted_of
from backfill.setup.grants import CHECKSUM_FEATURES, batch_features, lane_features, route_features
from backfill.setup.lanes import lanes_of
from backfill.setup.spec import Ground, Spec
from backfill.setup.wanted import ResourceKind, Wanted, WantedPart
from tests.doubles.setup_specs import GOLDEN, ground, spec

_POLICIES = {
    ResourceKind.ROLE_TRUST,
    ResourceKind.ROLE_POLICIES,
    ResourceKind.KEY_POLICY,
    ResourceKind.BUCKET_POLICY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, and the need behind it."""

    request: Request
    need: Need


def asked_of(found: Spec, where: Ground) -> Iterator[Asked]:
    """Give everything that the parties of a set-up ask for."""
    for lane in lanes_of(found, where):
        for route in lane.routes:
            used = lane_features(found, lane) | route_features(route)
            pair = Pair(
                source=lane.source,
                destination=route.place,
                replication_role_arn=lane.role_arn,
                source_key_arns=lane.key_arns,
                destination_key_arns=route.key_arns,
            )
            # Another route's delete markers are read at the source, and not written here.
            there = needs_of(Party.REPLICATION_ROLE, route_features(route))
            needs = [
                need
                for need in needs_of(Party.REPLICATION_ROLE, used)
                if need.on not in {On.DESTINATION_OBJECTS, On.DESTINATION_KEY} or need in there
            ]
            says = {each.bucket: each.has_policy for each in found.destinations}
            if route.is_across_accounts or says.get(route.place.bucket):
                needs += ON_DESTINATION_BUCKET
            if lane.role.is_made:
                needs += needs_of(Party.REPLICATION_SERVICE, used)
            yield from _requests(needs, pair, used)
            for reader in (each for rule in route.rules for each in rule.kms_readers):
                (need,) = [n for n in needs_of(Party.READER, used) if n.on is On.DESTINATION_KEY]
                yield from _requests([need], pair, used, reader=reader)
    yield from _asked_of_jobs(found, where)


def _asked_of_jobs(found: Spec, where: Ground) -> Iterator[Asked]:
    batch = found.batch
    if batch is None:
        return
    (lane, *_) = lanes_of(found, where)
    place = where.destinations[0]
    ends: list[tuple[str, str, BucketPlace, frozenset[Feature]]] = [
        (batch.bucket, batch.role.name, where.source, batch_features(found, batch))
    ]
    if batch.destination_role is not None:
        name = batch.destination_role.name
        ends.append((batch.destination_bucket, name, place, CHECKSUM_FEATURES))
    for bucket, role, near, used in ends:
        pair = Pair(
            source=where.source,
            destination=place,
            replication_role_arn=lane.role_arn,
            batch_role_arn=f"arn:aws:iam::{near.expected_owner}:role/service-role/{role}",
            batch_bucket=replace(near, bucket=bucket),
            source_key_arns=lane.key_arns,
            destination_key_arns=lane.routes[0].key_arns,
        )
        needs = [*needs_of(Party.BATCH_ROLE, used), *needs_of(Party.BATCH_SERVICE, used)]
        yield from _requests(needs, pair, used)


def _requests(
    needs: Sequence[Need], pair: Pair, used: frozenset[Feature], *, reader: str = ""
) -> Iterator[Asked]:
    for need in needs:
        who = principal_of(reader) if reader else None
        for request in requests_for(need, pair, used, principal=who):
            yield Asked(request=request, need=need)


def documents_for(request: Request, parts: Sequence[WantedPart]) -> Documents:
    """Return exactly what setup made that speaks of a request."""
    identity: list[Reading] = []
    resource: list[object] = []
    owner = request.principal.arn
    text = str(getattr(request.resource, "prefix", request.resource)).partition("/")[0]
    full = str(request.resource)
    for part in parts:
        kind, arn = part.resource.kind, part.resource.arn
        if kind is ResourceKind.ROLE_POLICIES:
            if arn != owner:
                continue
            identity.append(reading_of(arn, part.resource.account, dict(part.content)))
        elif kind in _POLICIES and part.identifier and arn in {text, full}:
            resource.append(part.content)
    held = reading_of(text, request.resource_account_id, {"Statement": resource})
    return Documents(identity=tuple(identity), resource=held if resource else None)


def is_allowed(asked: Asked, parts: Sequence[WantedPart]) -> bool:
    """Whether the request is allowed by what setup made.

    A reader has rights of its own in its account: what is asked here is the key's policy. What
    only AWS's example of a bucket policy has, is asked of the bucket policy alone.
    """
    documents = documents_for(asked.request, parts)
    if asked.need.party is Party.READER or asked.need in ON_DESTINATION_BUCKET:
        own = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        if asked.request.principal.account_id == asked.request.resource_account_id:
            own = {"Statement": {"Effect": "Allow", "Action": "none:AtAll", "Resource": "*"}}
        mine = reading_of("the principal's own", asked.request.principal.account_id, own)
        documents = replace(documents, identity=(mine,))
    return decision(asked.request, documents).is_allowed


def set_up(golden: str) -> tuple[Wanted, list[Asked]]:
    found = spec(GOLDEN[golden])
    where = ground(found)
    return wanted_of(found, where), list(asked_of(found, where))


@pytest.mark.parametrize("golden", GOLDEN)
def test_all_that_is_needed_is_allowed(golden: str) -> None:
    """If this fails, replication or a job made by setup is denied something."""
    wanted, everything = set_up(golden)
    assert everything
    denied = [
        f"{asked.request.principal.arn}: {asked.request.action} on {asked.request.resource}"
        for asked in everything
        if not is_allowed(asked, wanted.parts)
    ]
    assert denied == []


@pytest.mark.parametrize("golden", GOLDEN)
def test_any_action_less_denies_something(golden: str) -> None:
    """If this fails, a generated policy grants what nothing needs."""
    wanted, everything = set_up(golden)
    idle = []
    for number, part in enumerate(wanted.parts):
        for sid, action, less in _with_less(part):
            parts = [*wanted.parts[:number], less, *wanted.parts[number + 1 :]]
            # Within one account a key's or bucket's own policy and the role's are each enough.
            mine = _without_the_other_way(parts, part)
            touched = [each for each in everything if each.request.action == action]
            if all(is_allowed(each, mine) for each in touched):
                idle.append(f"{part.resource.title}: {sid}: {action}")
    assert idle == []


def _with_less(part: WantedPart) -> Iterator[tuple[str, str, WantedPart]]:
    """Give the part once for every action, without that action."""
    if part.resource.kind not in _POLICIES or not part.identifier:
        return
    is_policy = part.resource.kind is ResourceKind.ROLE_POLICIES
    statements = part.content["Statement"] if is_policy else [part.content]
    assert isinstance(statements, list)
    for index, statement in enumerate(statements):
        if statement["Effect"] == "Deny":
            continue
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        for action in actions:
            rest = [each for each in actions if each != action] or ["none:AtAll"]
            less = [*statements[:index], {**statement, "Action": rest}, *statements[index + 1 :]]
            content = {**part.content, "Statement": less} if is_policy else less[0]
            yield statement["Sid"], action, replace(part, content=content)


def _without_the_other_way(parts: list[WantedPart], part: WantedPart) -> list[WantedPart]:
    kind, account = part.resource.kind, part.resource.account
    if kind is ResourceKind.ROLE_POLICIES:
        other = {ResourceKind.KEY_POLICY, ResourceKind.BUCKET_POLICY}
        return [p for p in parts if p.resource.kind not in other or p.resource.account != account]
    if kind is ResourceKind.ROLE_TRUST:
        return parts
    other = {ResourceKind.ROLE_POLICIES}
    return [p for p in parts if p.resource.kind not in other or p.resource.account != account]


@pytest.mark.parametrize("golden", GOLDEN)
def test_nobody_else_is_let_in(golden: str) -> None:
    """If this fails, another role, bucket or service may use what setup granted."""
    wanted, everything = set_up(golden)
    stranger = principal_of(
        "arn:aws:iam::999999999999:role/service-role/backfill-photos-replication"
    )
    for asked in everything:
        is_service = asked.need.party in {Party.REPLICATION_SERVICE, Party.BATCH_SERVICE}
        other = service("ec2.amazonaws.com") if is_service else stranger
        request = replace(asked.request, principal=other)
        allowing = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        own = reading_of("the stranger's own", "999999999999", allowing)
        documents = replace(documents_for(asked.request, wanted.parts), identity=(own,))
        assert not decision(request, documents).is_allowed


GUARDED = {
    "an unconditional write": ({"s3:ObjectCreationOperation": "true"}, False),
    "a write that creates": (
        {"s3:ObjectCreationOperation": "true", "s3:if-none-match": "*"},
        True,
    ),
    "a write that replaces": (
        {"s3:ObjectCreationOperation": "true", "s3:if-match": '"etag"'},
        True,
    ),
    "a part of a multipart upload": ({"s3:ObjectCreationOperation": "false"}, True),
}


@pytest.mark.parametrize("case", GUARDED)
@pytest.mark.parametrize("is_replication", [False, True])
def test_the_guard_stops_unconditional_writes_and_nothing_else(
    case: str, *, is_replication: bool
) -> None:
    """If this fails, somebody overwrites unconditionally, or uploads and replication stop."""
    said, is_let_through = GUARDED[case]
    wanted, _ = set_up("guarded")
    role = "arn:aws:iam::111111111111:role/service-role/backfill-photos-replication"
    writer = "arn:aws:iam::222222222222:role/writer"
    keys = ("s3:if-none-match", "s3:if-match")
    request = Request(
        principal=principal_of(role if is_replication else writer),
        action="s3:PutObject",
        resource="arn:aws:s3:::photos-replica/key",
        resource_account_id="222222222222",
        context=context_of(said, absent=tuple(key for key in keys if key not in said)),
    )
    allowing = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    own = reading_of("its own", request.principal.account_id, allowing)
    documents = replace(documents_for(request, wanted.parts), identity=(own,))
    is_denied = decision(request, documents).verdict is Verdict.EXPLICIT_DENY
    assert is_denied is not (is_let_through or is_replication)
