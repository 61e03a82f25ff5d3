"""What a spec says that S3, IAM or KMS would refuse, or that could not work: every fault at once.

Never reads an account: contradictions within the spec, and between it and the known ground.
Law: what passes here is put as it is; no answer of S3 is needed to find a slip of the spec.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from backfill.setup.faults import Fault, key_faults
from backfill.setup.rule_faults import notification_faults, rule_faults, rules_faults
from backfill.setup.spec import DestinationSpec, Ground, RoleSpec, Spec

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
"""A set-up's name. Each part begins with a letter, so that two names never become one Sid."""
NAME_MAX: Final = 32
"""Characters: `backfill-NAME-replication` is a role name, of which IAM takes 64."""
DESTINATIONS_MAX: Final = 28
"""Destination buckets of one source bucket (AWS General Reference: s3, adjustable)."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LEGACY_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]")
_RULE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ROLE_NAME: Final = re.compile(r"[\w+=,.@][\w+=,.@-]{0,63}", re.ASCII)
_PATH: Final = re.compile(r"/|/[\x21-\x2e\x30-\x7e][\x21-\x7e]{0,509}/")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\x21-\x7e]{1,576}")


def faults_of(spec: Spec) -> Iterator[Fault]:
    """Give what is wrong within the spec, before any account is asked."""
    yield from _name_faults(spec)
    yield from _bucket_faults(spec)
    for number, rule in enumerate(spec.rules, start=1):
        yield from rule_faults(spec, rule, f"[rule {number}]")
    yield from rules_faults(spec)
    for number, notification in enumerate(spec.notifications, start=1):
        yield from notification_faults(spec, notification, f"[notification {number}]")
    yield from _batch_faults(spec)
    for place, role in _roles(spec):
        yield from _role_faults(role, place)


def faults_on(spec: Spec, ground: Ground) -> Iterator[Fault]:
    """Give what is wrong where the buckets really are: accounts and Regions of ARNs."""
    source = ground.source
    for place, role in _roles(spec):
        is_source = place in {"[role]", "[batch-role]"}
        owners = (source,) if is_source else ground.destinations
        yield from _foreign_role(role, place, {owner.expected_owner for owner in owners})
    for key in spec.source.kms_key_arns:
        if (region := key.split(":")[3]) != source.region:
            yield Fault(
                place="[source] kms-key-arns",
                message=f"{key} is a key of {region}, the bucket is in {source.region}",
                hint="S3 encrypts with keys of the bucket's own Region",
            )
    for number, destination in enumerate(spec.destinations, start=1):
        is_across = ground.is_across_accounts(ground.destination(destination.bucket))
        if destination.has_policy is False and is_across:
            yield _without_policy(f"[destination {number}]")
    for number, rule in enumerate(spec.rules, start=1):
        region = ground.destination(rule.destination).region
        if rule.kms_key_arn and (found := rule.kms_key_arn.split(":")[3]) != region:
            yield Fault(
                place=f"[rule {number}] kms-key-arn",
                message=f"the key is in {found}, the destination bucket in {region}",
                hint="a replica key is in the destination bucket's Region",
            )
    for number, notification in enumerate(spec.notifications, start=1):
        if (found := notification.arn_near(source, "aws").split(":")[3]) != source.region:
            yield Fault(
                place=f"[notification {number}] arn",
                message=f"it is in {found}, the source bucket in {source.region}",
                hint="S3 sends events within the bucket's Region",
            )


def _foreign_role(role: RoleSpec, place: str, accounts: set[str]) -> Iterator[Fault]:
    found = _ROLE_ARN.fullmatch(role.arn)
    if found is not None and accounts != {found[1]}:
        yield Fault(
            place=f"{place} arn",
            message=f"of account {found[1]}, the bucket of {', '.join(sorted(accounts))}",
            hint="S3 takes no other account's role",
        )


def _name_faults(spec: Spec) -> Iterator[Fault]:
    if not NAME.fullmatch(spec.name) or len(spec.name) > NAME_MAX:
        yield Fault(
            place="name",
            message=f"{spec.name!r} is no name for a set-up",
            hint=f"at most {NAME_MAX} of a-z, 0-9 and dashes, a letter first and after each dash",
        )
    groups = {
        "rule": [rule.name for rule in spec.rules],
        "notification": [notification.name for notification in spec.notifications],
    }
    for table, names in groups.items():
        for number, name in enumerate(names, start=1):
            if not _RULE_NAME.fullmatch(name):
                yield Fault(
                    place=f"[{table} {number}] name",
                    message=f"{name!r} is no name" if name else "is missing",
                    hint="at most 100 of letters, digits, dots, dashes and underscores",
                )
        for name, count in Counter(filter(None, names)).items():
            if count > 1:
                yield Fault(
                    place=f"[{table}] name",
                    message=f"{name!r} stands {count} times",
                    hint="each needs its own: it is known again by it",
                )


def _bucket_faults(spec: Spec) -> Iterator[Fault]:
    source = spec.source
    yield from _one_bucket(source.bucket, "[source]", may_be_legacy=True)
    yield from _place_faults("[source]", source.account, source.region)
    for key in source.kms_key_arns:
        yield from key_faults(key, "[source] kms-key-arns")
    if not spec.destinations:
        yield Fault(place="[destination]", message="is missing", hint="[destination] bucket = ...")
    if len(spec.destinations) > DESTINATIONS_MAX:
        yield Fault(
            place="[destination]",
            message=f"{len(spec.destinations)} destination buckets",
            hint=f"S3 takes at most {DESTINATIONS_MAX} of one source bucket",
        )
    for number, destination in enumerate(spec.destinations, start=1):
        yield from _destination_faults(spec, destination, f"[destination {number}]")
    for bucket, count in Counter(each.bucket for each in spec.destinations).items():
        if count > 1:
            yield Fault(
                place="[destination] bucket",
                message=f"{bucket!r} stands {count} times",
                hint="one table a bucket; several rules may name it",
            )


def _destination_faults(spec: Spec, destination: DestinationSpec, place: str) -> Iterator[Fault]:
    yield from _one_bucket(destination.bucket, place, may_be_legacy=False)
    yield from _place_faults(place, destination.account, destination.region)
    rules = spec.rules_for(destination.bucket)
    if destination.bucket and destination.bucket == spec.source.bucket:
        yield Fault(
            place=f"{place} bucket",
            message="is the source bucket",
            hint="S3 replicates into another bucket",
        )
    if not rules and spec.rules:
        yield Fault(
            place=place,
            message=f"no rule has the destination {destination.bucket!r}",
            hint="add a rule with it, or leave it out",
        )
    keys = {rule.kms_key_arn for rule in rules if rule.kms_key_arn}
    if destination.has_bucket_keys and len(keys) != 1:
        yield Fault(
            place=f"{place} bucket-keys",
            message="needs one replica key" if not keys else "the rules name several replica keys",
            hint="a bucket's default encryption has one key: kms-key-arn of its rules",
        )
    accounts = {spec.source.account, destination.account}
    if destination.has_policy is False and "" not in accounts and len(accounts) > 1:
        yield _without_policy(place)


def _without_policy(place: str) -> Fault:
    return Fault(
        place=f"{place} bucket-policy",
        message="is false, and the bucket is another account's",
        hint="across accounts the bucket policy must let the role in",
    )


def _one_bucket(bucket: str, place: str, *, may_be_legacy: bool) -> Iterator[Fault]:
    if _BUCKET.fullmatch(bucket) or (may_be_legacy and _LEGACY_BUCKET.fullmatch(bucket)):
        return
    yield Fault(
        place=f"{place} bucket",
        message=f"{bucket!r} is no bucket name" if bucket else "is missing",
        hint="3 to 63 lower-case letters, digits, dots and dashes; no s3:// and no ARN",
    )


def _place_faults(place: str, account: str, region: str) -> Iterator[Fault]:
    if account and not _ACCOUNT.fullmatch(account):
        yield Fault(
            place=f"{place} account", message=f"{account!r} is no account ID", hint="12 digits"
        )
    if region and not _REGION.fullmatch(region):
        yield Fault(
            place=f"{place} region", message=f"{region!r} is no Region", hint="such as eu-west-1"
        )


def _batch_faults(spec: Spec) -> Iterator[Fault]:
    batch = spec.batch
    if batch is None:
        return
    yield from _one_bucket(batch.bucket, "[batch]", may_be_legacy=True)
    if batch.destination_bucket:
        yield from _one_bucket(batch.destination_bucket, "[batch] destination", may_be_legacy=True)
    if batch.has_checksums and not batch.destination_bucket:
        yield Fault(
            place="[batch] checksums",
            message="without a bucket for the destination's jobs",
            hint="add destination-bucket: checksums are compared, so both sides make them",
        )
    if batch.destination_bucket and not batch.has_checksums:
        yield Fault(
            place="[batch] destination-bucket",
            message="without checksums",
            hint="add checksums = true: no other job works on the destination",
        )
    if batch.destination_bucket and len(spec.destinations) > 1:
        yield Fault(
            place="[batch] destination-bucket",
            message="and several destinations",
            hint="checksum jobs compare one pair of buckets: a spec for each",
        )


def _roles(spec: Spec) -> Iterator[tuple[str, RoleSpec]]:
    yield "[role]", spec.role
    yield "[reverse-role]", spec.reverse_role
    if spec.batch is not None:
        yield "[batch-role]", spec.batch.role
        if spec.batch.destination_role is not None:
            yield "[batch-destination-role]", spec.batch.destination_role


def _role_faults(role: RoleSpec, place: str) -> Iterator[Fault]:
    if role.arn:
        if not _ROLE_ARN.fullmatch(role.arn):
            yield Fault(
                place=f"{place} arn",
                message=f"{role.arn!r} is no role ARN",
                hint="arn:aws:iam::ACCOUNT:role/NAME, with the path if it has one",
            )
        return
    if not _ROLE_NAME.fullmatch(role.name):
        yield Fault(
            place=f"{place} name",
            message=f"{role.name!r} is no role name",
            hint="at most 64 of letters, digits and +=,.@_-",
        )
    if not _PATH.fullmatch(role.path) or role.path.startswith("/aws-service-role/"):
        yield Fault(
            place=f"{place} path",
            message=f"{role.path!r} is no path for a role",
            hint="begins and ends with a slash; /aws-service-role/ is AWS's own",
        )
