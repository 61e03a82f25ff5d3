"""Needs as requests: the table's words, with the buckets, keys and roles of one pair filled in.

Never decides. Law: a request says of its condition keys only what AWS documents; the rest stays
unknown, or one of a few things.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from backfill.model.places import BucketPlace
from backfill.policies.context import NOTHING_KNOWN, Context, Every, Said, context_of
from backfill.policies.need import Feature, Need, On, Party
from backfill.policies.principals import Principal, principal_of, service
from backfill.policies.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A source and a destination bucket, with the keys and roles that belong to them.

    `prefix` is the part of the source that is asked about; empty: all of it. Keys are the ARNs of
    KMS keys; a key of a name or alias cannot be judged and is left out.
    """

    source: BucketPlace
    destination: BucketPlace
    replication_role_arn: str
    batch_role_arn: str = ""
    batch_bucket: BucketPlace | None = None
    source_key_arns: tuple[str, ...] = ()
    destination_key_arns: tuple[str, ...] = ()
    batch_key_arns: tuple[str, ...] = ()
    prefix: str = ""
    partition: str = "aws"
    known: Context = NOTHING_KNOWN
    """What else is known of every request, such as aws:PrincipalOrgID."""

    def reversed(self, replication_role_arn: str) -> "Pair":
        """Return the way back, which replica modification sync needs beside this one."""
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            replication_role_arn=replication_role_arn,
            source_key_arns=self.destination_key_arns,
            destination_key_arns=self.source_key_arns,
        )


def principal_for(party: Party, pair: Pair) -> Principal:
    """Return who the party is where the pair says so: the services and the roles."""
    if party in {Party.REPLICATION_SERVICE, Party.BATCH_SERVICE}:
        return service(party.value)
    arns = {
        Party.REPLICATION_ROLE: pair.replication_role_arn,
        Party.BATCH_ROLE: pair.batch_role_arn,
    }
    assert party in arns, f"who the {party.value} is must be said"
    return principal_of(arns[party])


def requests_for(
    need: Need, pair: Pair, features: Collection[Feature], *, principal: Principal | None = None
) -> tuple[Request, ...]:
    """Return what must be allowed for a need: one request a key, none for what the pair has not.

    `principal` says who it is where the pair does not: identities, creators, readers.
    """
    who = principal or principal_for(need.party, pair)
    return tuple(
        Request(
            principal=who,
            action=need.action,
            resource=resource,
            resource_account_id=owner,
            context=keyed.beside(pair.known).beside(_context(need, pair, place)),
        )
        for resource, owner, place in _resources(need.on, pair, who)
        for keyed in _by_encryption(need, pair, place, features)
    )


Found = tuple[Said, str, BucketPlace | None]
"""A resource, the account that owns it, and the bucket for whose sake it is asked about."""

_AT_SOURCE: Final = {On.SOURCE_BUCKET, On.SOURCE_OBJECTS, On.SOURCE_KEY}
_AT_DESTINATION: Final = {On.DESTINATION_BUCKET, On.DESTINATION_OBJECTS, On.DESTINATION_KEY}
_OBJECTS: Final = {On.SOURCE_OBJECTS, On.DESTINATION_OBJECTS, On.BATCH_OBJECTS}
_BUCKETS: Final = {On.SOURCE_BUCKET, On.DESTINATION_BUCKET, On.BATCH_BUCKET}
_KEYS: Final = {On.SOURCE_KEY, On.DESTINATION_KEY, On.BATCH_KEY}


def _resources(on: On, pair: Pair, who: Principal) -> Iterator[Found]:
    if on in {On.ACCOUNT, On.JOBS}:
        region = pair.source.region
        jobs = Every(prefix=f"arn:{pair.partition}:s3:{region}:{who.account_id}:job/")
        yield (jobs if on is On.JOBS else "*"), who.account_id, pair.source
    elif on in {On.REPLICATION_ROLE, On.BATCH_ROLE}:
        arn = pair.replication_role_arn if on is On.REPLICATION_ROLE else pair.batch_role_arn
        if arn:
            yield arn, arn.split(":")[4], pair.source
    elif (place := _place(on, pair)) is not None:
        bucket = f"arn:{pair.partition}:s3:::{place.bucket}"
        if on in _BUCKETS:
            yield bucket, place.expected_owner, place
        elif on in _OBJECTS:
            prefix = "" if on is On.BATCH_OBJECTS else pair.prefix
            yield Every(prefix=f"{bucket}/{prefix}"), place.expected_owner, place
        else:
            yield from ((arn, arn.split(":")[4], place) for arn in _key_arns(on, pair))


def _place(on: On, pair: Pair) -> BucketPlace | None:
    if on in _AT_SOURCE:
        return pair.source
    return pair.destination if on in _AT_DESTINATION else pair.batch_bucket


def _key_arns(on: On, pair: Pair) -> tuple[str, ...]:
    if on is On.SOURCE_KEY:
        return pair.source_key_arns
    return pair.destination_key_arns if on is On.DESTINATION_KEY else pair.batch_key_arns


_ROLES_OF_S3: Final = {Party.REPLICATION_ROLE, Party.BATCH_ROLE}
_NEVER_WITH_S3: Final = (
    *("aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceVpcArn", "aws:VpcSourceIp"),
    *("aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:FederatedProvider"),
)
"""S3 acts from within AWS: it has no address, endpoint or device of the account's (S3 User Guide,
replication-troubleshoot: policies that allow one address or endpoint alone stop replication)."""


def _context(need: Need, pair: Pair, place: BucketPlace | None) -> Context:
    if need.party in {Party.REPLICATION_SERVICE, Party.BATCH_SERVICE}:
        # Whether S3 says on whose behalf it assumes the role is not documented.
        is_replication = need.party is Party.REPLICATION_SERVICE
        role_arn = pair.replication_role_arn if is_replication else pair.batch_role_arn
        about: dict[str, tuple[Said | None, ...]] = {
            "aws:SourceAccount": (role_arn.split(":")[4], None)
        }
        if is_replication:
            about["aws:SourceArn"] = (f"arn:{pair.partition}:s3:::{pair.source.bucket}", None)
        return context_of(possible=about)
    known: dict[str, Said] = {} if place is None else {"aws:RequestedRegion": place.region}
    if need.party not in _ROLES_OF_S3:
        # CreateJob passes a role without saying to which service.
        is_silent = need.action == "iam:PassRole" and need.on is On.BATCH_ROLE
        return context_of(known, absent=("iam:PassedToService",) if is_silent else ())
    return context_of(known | {"aws:ViaAWSService": "false"}, absent=_NEVER_WITH_S3)


_BY_WAY_OF_S3: Final = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"}
"""What S3 asks KMS for on somebody's behalf; the rest somebody asks for directly."""


def _by_encryption(
    need: Need, pair: Pair, place: BucketPlace | None, features: Collection[Feature]
) -> Iterable[Context]:
    """Give what is said of the encryption: a context for each case that must be allowed."""
    if need.on in _KEYS and need.action not in _BY_WAY_OF_S3:
        return [context_of(absent=("kms:ViaService", "kms:EncryptionContext*"))]
    if need.on in _KEYS:
        assert place is not None, "a key is used for the objects of a bucket"
        return [
            _of_key(pair, place, each) for each in _encryption_contexts(need.on, pair, features)
        ]
    if need.action != "s3:ReplicateObject":
        return [NOTHING_KNOWN]
    header = "s3:x-amz-server-side-encryption"
    key_header = f"{header}-aws-kms-key-id"
    if Feature.SSE_KMS in features and pair.destination_key_arns:
        return [
            context_of({header: "aws:kms", key_header: arn}) for arn in pair.destination_key_arns
        ]
    return [context_of(absent=(key_header,), possible={header: ("AES256", None)})]


def _encryption_contexts(on: On, pair: Pair, features: Collection[Feature]) -> tuple[Said, ...]:
    """Return the ARNs that S3 uses as encryption context: with a Bucket Key, the bucket's alone."""
    place = _place(on, pair)
    assert place is not None, "a key is used for the objects of a bucket"
    bucket = f"arn:{pair.partition}:s3:::{place.bucket}"
    prefix = "" if on is On.BATCH_KEY else pair.prefix
    has_bucket_key = (on is On.SOURCE_KEY and Feature.SOURCE_BUCKET_KEY in features) or (
        on is On.DESTINATION_KEY and Feature.DESTINATION_BUCKET_KEY in features
    )
    return (bucket,) if has_bucket_key else (Every(prefix=f"{bucket}/{prefix}"),)


def _of_key(pair: Pair, place: BucketPlace, encryption_context: Said) -> Context:
    suffix = ".cn" if pair.partition == "aws-cn" else ""
    return context_of(
        {
            "kms:ViaService": f"s3.{place.region}.amazonaws.com{suffix}",
            "kms:EncryptionContext:aws:s3:arn": encryption_context,
            "kms:EncryptionContextKeys": ("aws:s3:arn",),
        }
    )
