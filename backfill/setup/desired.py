"""From a spec and where its buckets are to what every document of every account must hold.

Never reads a document and never orders by chance: the same spec gives the same parts.
Law: a part is made once; where two lanes need the same document, their parts stand together.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from backfill.model.escaping import quoted
from backfill.model.places import BucketPlace
from backfill.policies.need import Party
from backfill.setup.configuration import (
    bucket_key_fields,
    identifier,
    notification_fields,
    rule_fields,
)
from backfill.setup.grants import DESTINATION_BUCKET_ACTIONS
from backfill.setup.key_statements import key_parts
from backfill.setup.lanes import Lane, Route, lanes_of, side_of
from backfill.setup.role_policies import (
    batch_policy,
    checksum_policy,
    replica_actions,
    replica_keys,
    replication_policy,
)
from backfill.setup.spec import Ground, RoleSpec, RuleSpec, Spec
from backfill.setup.statements import allow, bucket_arn, guard, roles, sending, sid, trust
from backfill.setup.wanted import (
    ROLE_TAG,
    Fields,
    Resource,
    ResourceKind,
    Wanted,
    WantedPart,
)

QUEUE_RETENTION_S: Final = 14 * 24 * 3600
"""The longest that SQS keeps a message (SQS API: CreateQueue). S3 tells of a failed replication
once: a message that runs out before anybody watches names a failed version to nobody."""


def wanted_of(spec: Spec, ground: Ground) -> Wanted:
    """Return everything that the spec asks for, in the safe order."""
    lanes = lanes_of(spec, ground)
    made = [
        *_buckets(spec, ground),
        *_role_parts(spec, ground, lanes),
        *key_parts(spec, ground, lanes),
        *_bucket_policies(spec, ground, lanes),
        *_events(spec, ground),
        *_rules(spec, ground, lanes),
    ]
    # The same part is asked for twice where one role or bucket serves two ends.
    once = {(part.resource, part.identifier): part for part in made}
    placed = sorted(once.values(), key=lambda part: part.resource.kind.order)
    together = {part.resource: None for part in placed}
    named = (spec.role, *(lane.role for lane in lanes), *_batch_roles(spec))
    return Wanted(
        name=spec.name,
        parts=tuple(part for each in together for part in placed if part.resource == each),
        expects=tuple(dict.fromkeys(role.arn for role in named if role.arn)),
        notes=tuple(_notes(spec, ground)),
    )


def bucket_resource(kind: ResourceKind, place: BucketPlace, ground: Ground) -> Resource:
    """Return a document of a bucket."""
    return Resource(
        side=side_of(place.expected_owner, ground),
        kind=kind,
        arn=bucket_arn(ground.partition, place.bucket),
        account=place.expected_owner,
        region=place.region,
    )


def _buckets(spec: Spec, ground: Ground) -> Iterator[WantedPart]:
    yield from _report_buckets(spec, ground)
    for place in (ground.source, *ground.destinations):
        yield WantedPart(
            resource=bucket_resource(ResourceKind.VERSIONING, place, ground),
            identifier="",
            content={"Status": "Enabled"},
            reason="S3 replicates between versioned buckets only",
            is_removable=False,
        )
        if spec.source.has_object_lock and place != ground.source:
            yield WantedPart(
                resource=bucket_resource(ResourceKind.OBJECT_LOCK, place, ground),
                identifier="",
                content={"ObjectLockEnabled": "Enabled"},
                reason="retention and legal holds need Object Lock at the destination, too;"
                " it can never be switched off again",
                is_removable=False,
            )
    for destination, place in zip(spec.destinations, ground.destinations, strict=True):
        keys = replica_keys(spec, place.bucket)
        if destination.has_bucket_keys and keys:
            yield WantedPart(
                resource=bucket_resource(ResourceKind.ENCRYPTION, place, ground),
                identifier="",
                content=bucket_key_fields(keys[0]),
                reason="replicas under a Bucket Key ask KMS once a bucket, not once an object",
                is_removable=False,
            )


def _report_buckets(spec: Spec, ground: Ground) -> Iterator[WantedPart]:
    batch = spec.batch
    if batch is None or not batch.makes_buckets:
        return
    ends = [(batch.bucket, ground.source)]
    if batch.destination_bucket:
        ends.append((batch.destination_bucket, ground.destinations[0]))
    for bucket, near in ends:
        yield WantedPart(
            resource=Resource(
                side=side_of(near.expected_owner, ground),
                kind=ResourceKind.BUCKET,
                arn=bucket_arn(ground.partition, bucket),
                account=near.expected_owner,
                region=near.region,
            ),
            identifier="",
            content={"Region": near.region},
            reason="manifests and completion reports of Batch Operations jobs lie there",
            is_removable=False,
        )


def _role_parts(spec: Spec, ground: Ground, lanes: tuple[Lane, ...]) -> Iterator[WantedPart]:
    for lane in lanes:
        what = f"reverse.{lane.source.bucket}" if lane.is_reverse else "replicate"
        yield from _one_role(
            spec.name,
            lane.role,
            _role(lane.role, lane.source.expected_owner, ground),
            (what, replication_policy(lane, spec, ground.partition)),
            ("Trust", Party.REPLICATION_SERVICE),
        )
    batch = spec.batch
    if batch is None:
        return
    trusted = ("BatchTrust", Party.BATCH_SERVICE)
    yield from _one_role(
        spec.name,
        batch.role,
        _role(batch.role, ground.source.expected_owner, ground),
        ("batch", batch_policy(spec, ground)),
        trusted,
    )
    if batch.destination_role is not None:
        owner = ground.destinations[0].expected_owner
        yield from _one_role(
            spec.name,
            batch.destination_role,
            _role(batch.destination_role, owner, ground),
            ("checksums", checksum_policy(spec, ground)),
            trusted,
        )


def _role(role: RoleSpec, account: str, ground: Ground) -> Resource:
    return Resource(
        side=side_of(account, ground),
        kind=ResourceKind.ROLE_TRUST,
        arn=role.arn_in(ground.partition, account),
        account=account,
    )


def _one_role(
    name: str,
    role: RoleSpec,
    resource: Resource,
    named_policy: tuple[str, Fields],
    trusted: tuple[str, Party],
) -> Iterator[WantedPart]:
    purpose, service = trusted
    what, content = named_policy
    if role.is_made:
        yield WantedPart(
            resource=resource,
            identifier="",
            content={"Path": role.path, "Tags": {ROLE_TAG: name}},
            reason=f"{service.value} acts as {resource.arn}",
        )
        yield WantedPart(
            resource=resource,
            identifier=sid(purpose, name),
            content=trust(sid(purpose, name), service.value),
            reason=f"{service.value} may assume the role, nobody else",
        )
    if role.is_made or role.has_policy:
        yield WantedPart(
            resource=Resource(
                side=resource.side,
                kind=ResourceKind.ROLE_POLICIES,
                arn=resource.arn,
                account=resource.account,
            ),
            identifier=identifier(name, what),
            content=content,
            reason="what the role may do: this, and nothing else by this set-up",
        )


def _bucket_policies(spec: Spec, ground: Ground, lanes: tuple[Lane, ...]) -> Iterator[WantedPart]:
    arriving: Mapping[BucketPlace, list[tuple[Lane, Route]]] = defaultdict(list)
    for lane in lanes:
        for route in lane.routes:
            arriving[route.place].append((lane, route))
    says = {destination.bucket: destination.has_policy for destination in spec.destinations}
    guarded = {destination.bucket for destination in spec.destinations if destination.is_guarded}
    for place, ways in arriving.items():
        resource = bucket_resource(ResourceKind.BUCKET_POLICY, place, ground)
        named = [
            (lane, route)
            for lane, route in ways
            if route.is_across_accounts or says.get(place.bucket)
        ]
        if named:
            yield from _replica_parts(resource, named, spec.name)
        if place.bucket in guarded:
            yield _guard_part(resource, [lane for lane, _ in ways], spec.name)


def _replica_parts(
    resource: Resource, ways: list[tuple[Lane, Route]], name: str
) -> Iterator[WantedPart]:
    for purpose, overrides in (("Replicas", False), ("Owned", True)):
        group = [(lane, route) for lane, route in ways if route.overrides_owner is overrides]
        if group:
            writing = sorted({each for _, route in group for each in replica_actions(route)})
            yield WantedPart(
                resource=resource,
                identifier=sid(purpose, name),
                content=allow(
                    sid(purpose, name),
                    writing,
                    f"{resource.arn}/*",
                    principal=roles(lane.role_arn for lane, _ in group),
                ),
                reason="the replication role writes replicas"
                + (", which the bucket's owner then owns" if overrides else ""),
            )
    yield WantedPart(
        resource=resource,
        identifier=sid("Bucket", name),
        content=allow(
            sid("Bucket", name),
            DESTINATION_BUCKET_ACTIONS,
            resource.arn,
            principal=roles(lane.role_arn for lane, _ in ways),
        ),
        reason="S3 looks at the bucket's versioning and listing as the replication role",
    )


def _guard_part(resource: Resource, lanes: list[Lane], name: str) -> WantedPart:
    exempt = list(dict.fromkeys(lane.role_arn for lane in lanes))
    return WantedPart(
        resource=resource,
        identifier=sid("Guard", name),
        content=guard(sid("Guard", name), resource.arn, exempt),
        reason="nobody overwrites an object without saying which one; replication is exempt",
    )


def _events(spec: Spec, ground: Ground) -> Iterator[WantedPart]:
    source = ground.source
    for notification in spec.notifications:
        arn = notification.arn_near(source, ground.partition)
        region, account = arn.split(":")[3:5]
        policy = Resource(
            side=side_of(account, ground),
            kind=ResourceKind.EVENT_DESTINATION_POLICY,
            arn=arn,
            account=account,
            region=region,
        )
        if notification.queue:
            yield _queue_part(policy, spec.name)
        yield WantedPart(
            resource=policy,
            identifier=sid("Events", spec.name),
            content=sending(
                sid("Events", spec.name),
                arn,
                bucket_arn(ground.partition, source.bucket),
                source.expected_owner,
            ),
            reason="S3 sends events of this bucket there, and of no other",
        )
        words = ", ".join(event.value for event in notification.events)
        yield WantedPart(
            resource=bucket_resource(ResourceKind.NOTIFICATION, source, ground),
            identifier=identifier(spec.name, notification.name),
            content=notification_fields(notification, arn, name=spec.name),
            reason=f"replication events come from the source bucket: {words}",
        )


def _queue_part(policy: Resource, name: str) -> WantedPart:
    return WantedPart(
        resource=replace(policy, kind=ResourceKind.QUEUE),
        identifier="",
        content={
            "QueueName": policy.name,
            "MessageRetentionPeriod": QUEUE_RETENTION_S,
            "Tags": {ROLE_TAG: name},
        },
        reason="replication events wait there until `backfill watch` reads them",
        is_removable=False,
    )


def _rules(spec: Spec, ground: Ground, lanes: tuple[Lane, ...]) -> Iterator[WantedPart]:
    for lane in lanes:
        resource = bucket_resource(ResourceKind.REPLICATION, lane.source, ground)
        yield WantedPart(
            resource=resource,
            identifier="",
            content={"Role": lane.role_arn},
            reason="S3 replicates as this role; a bucket names one for all its rules",
        )
        for route in lane.routes:
            for rule in route.rules:
                content = rule_fields(rule, route, lane, name=spec.name, partition=ground.partition)
                yield WantedPart(
                    resource=resource,
                    identifier=str(content["ID"]),
                    content=content,
                    reason=_rule_reason(rule, route, lane),
                )


def _rule_reason(rule: RuleSpec, route: Route, lane: Lane) -> str:
    what = f"keys under {quoted(rule.prefix)}" if rule.prefix else "all keys"
    tagged = f" with {len(rule.tags)} tags" if rule.tags else ""
    back = " (the way back of replica modification sync)" if lane.is_reverse else ""
    return f"replicates {what}{tagged} to {route.place.bucket}{back}"


def _batch_roles(spec: Spec) -> tuple[RoleSpec, ...]:
    if spec.batch is None:
        return ()
    return tuple(filter(None, (spec.batch.role, spec.batch.destination_role)))


def _notes(spec: Spec, ground: Ground) -> Iterator[str]:
    yield (
        "where versioning is enabled for the first time, AWS advises to wait 15 minutes before"
        " objects are written"
    )
    yield "rules carry new objects only: `backfill run` brings over what is there already"
    if any(rule.syncs_replica_modifications for rule in spec.rules):
        yield (
            "replica modification sync needs a rule back: objects that are written to the"
            " destination bucket directly will be replicated to the source bucket"
        )
    if any(rule.kms_readers for rule in spec.rules):
        yield (
            "readers in another account need kms:Decrypt on the replica key in their own"
            " policies, too: the key policy alone is half"
        )
    if any(role.arn for role in (spec.role, *_batch_roles(spec))):
        yield "an existing role keeps its trust policy: `backfill preflight` says whether it fits"
    if any(notification.arn for notification in spec.notifications):
        yield (
            "a queue or topic under SSE-KMS must let s3.amazonaws.com use its key: setup does not"
            " look into that"
        )
    if spec.source.has_object_lock and any(
        ground.is_across_accounts(place) for place in ground.destinations
    ):
        yield "a locked replica can be deleted by nobody in the destination's account either"
