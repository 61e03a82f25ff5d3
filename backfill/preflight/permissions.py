"""What each party of a replication must be allowed, on this campaign's buckets, keys and rules.

Never decides whether it is (see `access`).
Law: the rows are those of `policies.needs`, and only those without which something fails: what AWS
merely lists is no finding.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    KmsKey,
    Role,
    SimulationRequest,
    Unread,
)
from backfill.model.places import BucketPlace
from backfill.plan.rules import Rule
from backfill.plan.terms import OWNER_ENFORCED
from backfill.policies import need as table
from backfill.policies.asking import Pair, requests_for
from backfill.policies.context import Context, Every, context_of
from backfill.policies.need import Feature, Party, Weight
from backfill.policies.needs import needs_of
from backfill.policies.principals import PrincipalType, principal_of
from backfill.policies.request import Request
from backfill.preflight.evidence import (
    NOT_ASKED,
    BucketEvidence,
    Gathered,
    KeyEvidence,
    RoleEvidence,
    default_encryption,
    default_key,
    is_locked,
    is_managed,
)
from backfill.preflight.members import members, text

SAMPLE: Final = "backfill-preflight"
"""The key that stands for all keys below a prefix where IAM's simulator wants one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One row of the table of needs, as a request of this campaign.

    Attributes:
        row: The row: party, action, why, and S3's failure codes of its lack.
        role: The role that needs it.
        request: What AWS is asked.
        bucket: The bucket that it is about; None for a key.
        key: The key that it is about; None for a bucket.
        serves: The bucket for whose objects a key is used.
        instead: Another action that does as well.
    """

    row: table.Need
    role: RoleEvidence
    request: Request
    bucket: BucketEvidence | None = None
    key: KeyEvidence | None = None
    serves: BucketEvidence | None = None
    instead: str = ""

    @property
    def action(self) -> str:
        """As in `s3:ReplicateObject`."""
        return self.row.action

    @property
    def pattern(self) -> str:
        """The resource as a policy names it."""
        return str(self.request.resource)

    @property
    def sample(self) -> str:
        """One resource that stands for all of them."""
        resource = self.request.resource
        return f"{resource.prefix}{SAMPLE}" if isinstance(resource, Every) else resource


def place_of(bucket: BucketEvidence) -> BucketPlace | None:
    """Return where a bucket is; None while its Region or owner is not known."""
    if not bucket.region_name or not bucket.account_id:
        return None
    return BucketPlace(
        bucket=bucket.name,
        region=bucket.region_name,
        expected_owner=bucket.account_id,
        owner_origin="preflight",
    )


def role_arn(evidence: RoleEvidence) -> str:
    """Return a role's ARN as IAM says it, else as the configuration does."""
    return evidence.role.arn if isinstance(evidence.role, Role) else evidence.arn


_MOMENTS: Final = ("aws:CurrentTime", "aws:EpochTime")


def at_this_time(seen: Gathered) -> Context:
    """Return what policies with dates are compared with: S3's time, or else this machine's."""
    told = seen.server_time
    moment = (told if isinstance(told, datetime) else seen.now).astimezone(UTC)
    words = (f"{moment:%Y-%m-%dT%H:%M:%SZ}", str(int(moment.timestamp())))
    return context_of(dict(zip(_MOMENTS, words, strict=True)))


def replication_needs(seen: Gathered) -> tuple[Need, ...]:
    """Return what the replication role needs for the enabled rules."""
    if seen.role is None or seen.role.arn.count(":") < 5:
        return ()
    found = (
        need
        for destination in seen.destinations
        for rule in seen.rules_to(destination.name)
        for need in _of_rule(seen, seen.role, destination, rule)
    )
    return _without_repeats(found)


def _of_rule(
    seen: Gathered, role: RoleEvidence, destination: BucketEvidence, rule: Rule
) -> Iterator[Need]:
    pair = pair_of(seen, role, destination, rule)
    if pair is None:
        return
    # What no KMS key encrypts is read with s3:GetObjectVersion as well (S3 User Guide:
    # replication-config-for-kms-objects).
    instead = (
        {} if rule.selects_kms else {"s3:GetObjectVersionForReplication": "s3:GetObjectVersion"}
    )
    features = features_of(seen, destination, rule)
    for row in _rows(Party.REPLICATION_ROLE, features):
        for request in requests_for(row, pair, features):
            need = _need(seen, role, row, request, (seen.source, destination))
            yield replace(need, instead=instead.get(row.action, ""))


def pair_of(
    seen: Gathered, role: RoleEvidence, destination: BucketEvidence, rule: Rule
) -> Pair | None:
    """Return both ends of a rule for the table of needs; None while one is unknown."""
    source, there = place_of(seen.source), place_of(destination)
    if source is None or there is None:
        return None
    return Pair(
        source=source,
        destination=there,
        replication_role_arn=role_arn(role),
        source_key_arns=_key_arns(seen, default_key(seen.source)),
        destination_key_arns=_key_arns(seen, rule.destination.replica_kms_key),
        prefix=rule.prefix,
        partition=role.arn.split(":")[1],
        known=at_this_time(seen),
    )


def _key_arns(seen: Gathered, name: str) -> tuple[str, ...]:
    """Return the ARN of a key that has a policy of its own, which `aws/s3` never has for others."""
    key = seen.keys.get(name)
    return () if key is None or is_managed(key) else (_arn_of(key),)


def _arn_of(key: KeyEvidence) -> str:
    return key.key.arn if isinstance(key.key, KmsKey) else key.arn


def batch_needs(seen: Gathered) -> tuple[Need, ...]:
    """Return what the role of Batch Replication jobs needs, with manifests of backfill's own."""
    role, source = seen.batch_role, place_of(seen.source)
    if role is None or source is None or role.arn.count(":") < 5:
        return ()
    bucket = seen.batch_bucket
    pair = Pair(
        source=source,
        destination=source,
        replication_role_arn=role_arn(role),
        batch_role_arn=role_arn(role),
        batch_bucket=place_of(bucket) if bucket is not None else None,
        prefix=seen.campaign.scope.prefix,
        partition=role.arn.split(":")[1],
        known=at_this_time(seen),
    )
    features = frozenset({Feature.REPLICATE_JOBS})
    buckets = (seen.source,) if bucket is None else (seen.source, bucket)
    found = (
        _need(seen, role, row, request, buckets)
        for row in _rows(Party.BATCH_ROLE, features)
        for request in requests_for(row, pair, features)
    )
    return _without_repeats(found)


def job_needs(seen: Gathered) -> tuple[Need, ...]:
    """Return what whoever looks needs to make jobs, and to watch and end them."""
    if seen.batch_role is None:
        return ()
    rows = _rows(Party.SOURCE_CREATOR, {Feature.REPLICATE_JOBS})
    on_jobs = (table.On.BATCH_ROLE, table.On.ACCOUNT, table.On.JOBS)
    return _of_source_identity(seen, [row for row in rows if row.on in on_jobs])


def restore_needs(seen: Gathered) -> tuple[Need, ...]:
    """Return what whoever looks needs to have objects restored, where the campaign does."""
    if seen.campaign.restore is None:
        return ()
    rows = _rows(Party.SOURCE_IDENTITY, {Feature.RESTORES})
    return _of_source_identity(seen, [row for row in rows if Feature.RESTORES in row.features])


def _of_source_identity(seen: Gathered, rows: Iterable[table.Need]) -> tuple[Need, ...]:
    caller, source = seen.source_caller, place_of(seen.source)
    if not isinstance(caller, CallerIdentity) or source is None:
        return ()
    pair = Pair(
        source=source,
        destination=source,
        replication_role_arn="",
        batch_role_arn=role_arn(seen.batch_role) if seen.batch_role else "",
        prefix=seen.campaign.scope.prefix,
        partition=caller.partition,
        known=at_this_time(seen),
    )
    arn = caller.role_arn or caller.arn
    evidence = seen.caller_role or RoleEvidence(arn=arn, role=NOT_ASKED)
    found = (
        _need(seen, evidence, row, request, (seen.source,))
        for row in rows
        for request in requests_for(row, pair, row.features, principal=principal_of(arn))
    )
    return _without_repeats(found)


def copy_needs(seen: Gathered) -> tuple[Need, ...]:
    """Return what copy workers need on objects and known keys, by the destination identity.

    Parts of large copies are left out: without their permissions most copies work. What a run asks
    of buckets it asks when it begins, and says so itself.
    """
    caller = seen.destination_caller
    if not isinstance(caller, CallerIdentity) or not seen.is_source_owner_known:
        return ()
    found = (
        need
        for destination in seen.destinations
        for rule in seen.rules_to(destination.name)
        for need in _of_copies(seen, caller, destination, rule)
    )
    return _without_repeats(found)


_OF_COPIES: Final = (
    *(table.On.SOURCE_OBJECTS, table.On.SOURCE_KEY),
    *(table.On.DESTINATION_OBJECTS, table.On.DESTINATION_KEY),
)
_OF_PARTS: Final = frozenset({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"})


def _of_copies(
    seen: Gathered, caller: CallerIdentity, destination: BucketEvidence, rule: Rule
) -> Iterator[Need]:
    arn = caller.role_arn or caller.arn
    evidence = RoleEvidence(arn=arn, role=NOT_ASKED)
    pair = pair_of(seen, evidence, destination, rule)
    if pair is None:
        return
    # A rule that selects no KMS leaves such objects out; all else takes the destination's default.
    theirs = _key_arns(seen, default_key(destination))
    ours = pair.source_key_arns if rule.selects_kms else ()
    if ours:
        theirs = tuple(dict.fromkeys((*pair.destination_key_arns, *theirs)))
    pair = replace(pair, source_key_arns=ours, destination_key_arns=theirs)
    features = features_of(seen, destination, rule) | {Feature.SSE_KMS}
    # A session tells the path of its role only where IAM did.
    is_path_told = not caller.role_arn or caller.role_arn.count("/") > 1
    principal = principal_of(arn if is_path_told else caller.arn)
    for row in _rows(Party.COPY_IDENTITY, features):
        if row.on in _OF_COPIES and row.action not in _OF_PARTS:
            for request in requests_for(row, pair, features, principal=principal):
                yield _need(seen, evidence, row, request, (seen.source, destination))


def _rows(party: Party, features: Iterable[Feature]) -> tuple[table.Need, ...]:
    rows = needs_of(party, frozenset(features))
    return tuple(row for row in rows if row.weight is Weight.REQUIRED)


def features_of(seen: Gathered, destination: BucketEvidence, rule: Rule) -> frozenset[Feature]:
    """Return what a rule and its buckets use; any object may have tags."""
    used = {
        Feature.TAGS: True,
        Feature.DELETE_MARKERS: rule.replicates_delete_markers,
        Feature.OWNER_OVERRIDE: rule.destination.is_owner_translated,
        Feature.SSE_KMS: rule.selects_kms,
        Feature.OBJECT_LOCK: is_locked(seen.source.fields(BucketDocument.OBJECT_LOCK)),
        Feature.ACLS: not rule.destination.is_owner_translated
        and all(_has_acls(bucket) for bucket in (seen.source, destination)),
        Feature.SOURCE_BUCKET_KEY: has_bucket_key(seen.source),
        Feature.DESTINATION_BUCKET_KEY: has_bucket_key(destination),
    }
    return frozenset(feature for feature, is_used in used.items() if is_used)


def _has_acls(bucket: BucketEvidence) -> bool:
    """Return whether ACLs count in a bucket for certain; a denied look asks for no more rights."""
    fields = bucket.fields(BucketDocument.OWNERSHIP)
    if isinstance(fields, Unread):
        return False
    found = (text(rule, "ObjectOwnership") for rule in members(fields, "Rules"))
    return next(found, "") != OWNER_ENFORCED


def has_bucket_key(bucket: BucketEvidence) -> bool:
    """Return whether a bucket encrypts with an S3 Bucket Key by default."""
    return default_encryption(bucket).get("BucketKeyEnabled") is True


def _need(
    seen: Gathered,
    role: RoleEvidence,
    row: table.Need,
    request: Request,
    buckets: Sequence[BucketEvidence],
) -> Need:
    name = str(request.resource)
    key = next((each for each in seen.keys.values() if name in {each.arn, _arn_of(each)}), None)
    if ":kms:" in name:
        is_source = row.on is table.On.SOURCE_KEY
        serves = buckets[0] if is_source else buckets[-1]
        return Need(row=row, role=role, request=request, key=key, serves=serves)
    about = (each for each in buckets if name == each.arn or name.startswith(f"{each.arn}/"))
    return Need(row=row, role=role, request=request, bucket=next(about, None))


def _without_repeats(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Return each need once: rules share a source, and a wider prefix covers a narrower one."""
    kept: list[Need] = []
    for need in needs:
        if not any(_is_covered(need, by=each) for each in kept):
            kept = [each for each in kept if not _is_covered(each, by=need)]
            kept.append(need)
    return tuple(kept)


def _is_covered(need: Need, *, by: Need) -> bool:
    if (need.action, need.request.context) != (by.action, by.request.context):
        return False
    mine, theirs = need.request.resource, by.request.resource
    if isinstance(mine, Every) and isinstance(theirs, Every):
        return mine.prefix.startswith(theirs.prefix)
    return mine == theirs


def simulation_requests(seen: Gathered) -> tuple[SimulationRequest, ...]:
    """Return the questions to IAM's simulator: one for each resource of each role.

    It sees what an identity's own policies say, and is asked only about roles of the account of
    whoever asks.
    """
    caller = seen.source_caller
    if not isinstance(caller, CallerIdentity):
        return ()
    grouped: dict[tuple[str, str, _Values], list[str]] = {}
    needs = (*replication_needs(seen), *batch_needs(seen), *job_needs(seen), *restore_needs(seen))
    for need in needs:
        principal = need.request.principal
        is_there = need.role.role is not None and principal.type is not PrincipalType.ROOT
        if is_there and principal.account_id == caller.account_id and principal.has_known_path:
            values = _simulated_values(need.request.context)
            actions = grouped.setdefault((principal.arn, need.sample, values), [])
            actions += [each for each in (need.action, need.instead) if each]
    return tuple(
        SimulationRequest(
            principal_arn=arn,
            actions=tuple(dict.fromkeys(actions)),
            resource_arn=resource,
            context=dict(values),
        )
        for (arn, resource, values), actions in grouped.items()
    )


_Values = tuple[tuple[str, tuple[str, ...]], ...]
_OF_SIMULATOR: Final = frozenset(name.lower() for name in _MOMENTS)
"""Its own time counts; where it asks for one, its answer is left out."""


def _simulated_values(context: Context) -> _Values:
    return tuple(
        (name, tuple(f"{v.prefix}{SAMPLE}" if isinstance(v, Every) else v for v in values))
        for name, values in context.known.items()
        if name not in _OF_SIMULATOR
    )
