"""What key policies must say: of keys that are read from, of replica keys, and of their readers.

Never grants a key to everybody: each statement names roles, S3 of one Region, and buckets.
Law: a key that serves two purposes gets a statement for each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from backfill.model.places import BucketPlace
from backfill.policies.need import On, Party
from backfill.setup.lanes import Lane, side_of
from backfill.setup.role_policies import key_actions, replica_keys
from backfill.setup.spec import Ground, Spec
from backfill.setup.statements import allow, by_way_of_s3, roles, sid
from backfill.setup.wanted import Resource, ResourceKind, WantedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """One principal's use of one key for the objects of one bucket."""

    key_arn: str
    purpose: str
    principal: str
    place: BucketPlace


_USERS = {
    "Decrypt": (Party.REPLICATION_ROLE, On.SOURCE_KEY),
    "ReverseDecrypt": (Party.REPLICATION_ROLE, On.SOURCE_KEY),
    "ChecksumDecrypt": (Party.BATCH_ROLE, On.SOURCE_KEY),
    "Readers": (Party.READER, On.DESTINATION_KEY),
    "Encrypt": (Party.REPLICATION_ROLE, On.DESTINATION_KEY),
    "ReverseEncrypt": (Party.REPLICATION_ROLE, On.DESTINATION_KEY),
}
_REASONS = {
    "Decrypt": "the replication role reads source objects",
    "ReverseDecrypt": "the reverse role reads replicas whose modifications go back",
    "ChecksumDecrypt": "checksum jobs read objects",
    "Readers": "the named readers decrypt replicas",
    "Encrypt": "the replication role writes replicas",
    "ReverseEncrypt": "the reverse role writes modifications back",
}


def key_parts(spec: Spec, ground: Ground, lanes: tuple[Lane, ...]) -> Iterator[WantedPart]:
    """Give the statements of every key policy, one a key and purpose."""
    uses = [use for lane in lanes for use in _uses_of(lane)]
    uses += _uses_of_checksums(spec, ground)
    for key_arn, purpose in dict.fromkeys((use.key_arn, use.purpose) for use in uses):
        group = [use for use in uses if (use.key_arn, use.purpose) == (key_arn, purpose)]
        word = sid(purpose, spec.name)
        places = list(dict.fromkeys(use.place for use in group))
        yield WantedPart(
            resource=_key(key_arn, ground),
            identifier=word,
            content=allow(
                word,
                key_actions(*_USERS[purpose]),
                "*",  # In a key policy: this key (KMS Developer Guide: key-policy-overview).
                principal=roles(use.principal for use in group),
                condition=by_way_of_s3(ground.partition, places),
            ),
            reason=f"{_REASONS[purpose]}, through S3 and in this bucket only",
        )


def _key(arn: str, ground: Ground) -> Resource:
    _, _, _, region, account, _ = arn.split(":")
    return Resource(
        side=side_of(account, ground),
        kind=ResourceKind.KEY_POLICY,
        arn=arn,
        account=account,
        region=region,
    )


def _uses_of(lane: Lane) -> Iterator[_Use]:
    way = "Reverse" if lane.is_reverse else ""
    for arn in lane.key_arns:
        yield _Use(key_arn=arn, purpose=f"{way}Decrypt", principal=lane.role_arn, place=lane.source)
    for route in lane.routes:
        for arn in route.key_arns:
            yield _Use(
                key_arn=arn, purpose=f"{way}Encrypt", principal=lane.role_arn, place=route.place
            )
        for rule in route.rules:
            for reader in rule.kms_readers:
                yield _Use(
                    key_arn=rule.kms_key_arn,
                    purpose="Readers",
                    principal=reader,
                    place=route.place,
                )


def _uses_of_checksums(spec: Spec, ground: Ground) -> Iterator[_Use]:
    batch = spec.batch
    if batch is None or not batch.has_checksums or batch.destination_role is None:
        return
    place = ground.destinations[0]
    ends = (
        (batch.role, ground.source, spec.source.kms_key_arns),
        (batch.destination_role, place, replica_keys(spec, place.bucket)),
    )
    for role, bucket, keys in ends:
        arn = role.arn_in(ground.partition, bucket.expected_owner)
        for key in dict.fromkeys(keys):
            yield _Use(key_arn=key, purpose="ChecksumDecrypt", principal=arn, place=bucket)
