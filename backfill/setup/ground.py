"""Asks both accounts where the buckets of a spec are and whose, where the spec does not say.

Never writes, and never guesses an owner: who cannot be asked must be said.
Law: an identity that is not of the account whose documents it shall write is told before any write.
"""

from dataclasses import dataclass

from backfill.errors import CredentialsError, RefusedError, StoreFault, UsageError
from backfill.model.places import BucketPlace
from backfill.ports import ControlPlane
from backfill.ports.accounts import AccountReader
from backfill.setup.spec import DestinationSpec, Ground, SourceSpec, Spec
from backfill.setup.validation import faults_on
from backfill.setup.wanted import Side

_NO_BUCKET = frozenset({"404", "NoSuchBucket"})

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eusc-": "aws-eusc",
}
"""By the beginning of a Region's name (AWS General Reference: partitions); all others are `aws`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One side's identity, of its account and of S3."""

    reader: AccountReader
    control: ControlPlane


@dataclass(frozen=True, slots=True, kw_only=True)
class Askable:
    """Both sides; None for one that is left to its owner."""

    source: Asked | None
    destination: Asked | None

    def of(self, side: Side) -> Asked | None:
        """Return who is asked on a side."""
        return self.source if side is Side.SOURCE else self.destination


async def ground_of_accounts(spec: Spec, askable: Askable) -> Ground:
    """Return where the buckets are, as the spec says or the accounts do.

    Raises:
        UsageError: An owner is neither said nor to be asked, or ARNs of the spec do not fit.
        CredentialsError: An identity is of another account than the bucket.
        RefusedError: A bucket is not there.
    """
    source = await _place(spec.source, Side.SOURCE, askable)
    destinations = [
        # A bucket in the source's own account is the source's identity's to ask and to write.
        await _place(
            each,
            Side.SOURCE if each.account == source.expected_owner else Side.DESTINATION,
            askable,
        )
        for each in spec.destinations
    ]
    ground = Ground(
        source=source,
        destinations=tuple(destinations),
        partition=partition_of(source.region),
    )
    if faults := [f"  {fault.line}" for fault in faults_on(spec, ground)]:
        raise UsageError("\n".join(("the spec does not fit the accounts", *faults)))
    return ground


def partition_of(region: str) -> str:
    """Return the partition that a Region is in: the second word of every ARN there."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


async def _place(said: SourceSpec | DestinationSpec, side: Side, askable: Askable) -> BucketPlace:
    asked = askable.of(side)
    account, origin = said.account, "setup spec"
    if asked is not None:
        caller = await asked.reader.caller()
        if account and account != caller.account_id:
            raise CredentialsError(
                f"the {side.value}'s identity {caller.arn} is not of account {account}, which"
                f" owns {said.bucket}",
                hint=f"name one that is: --{side.value}-profile or --{side.value}-role-arn; or"
                " leave that account to its owner: --only, and setup export",
            )
        account, origin = caller.account_id, "STS"
    if not account:
        raise UsageError(
            f"nobody says who owns {said.bucket}",
            hint=f"say [{side.value}] account, or ask there, too",
        )
    region = said.region or await _region(said.bucket, side, askable)
    return BucketPlace(
        bucket=said.bucket, region=region, expected_owner=account, owner_origin=origin
    )


async def _region(bucket: str, side: Side, askable: Askable) -> str:
    # S3 tells everybody the Region of a bucket, so that either identity will do.
    asked = askable.of(side) or askable.source or askable.destination
    if asked is None:
        raise UsageError(
            f"nobody says in which Region {bucket} is", hint=f"say [{side.value}] region"
        )
    try:
        return await asked.control.bucket_region(bucket)
    except StoreFault as fault:
        if fault.code not in _NO_BUCKET:
            raise
        raise RefusedError(
            f"there is no bucket {bucket}",
            hint="setup makes none to replicate from or to: aws s3api create-bucket --bucket"
            f" {bucket} --create-bucket-configuration LocationConstraint=REGION",
        ) from fault
