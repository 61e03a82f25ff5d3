"""Encryption: what a write is encrypted with, and who may use the keys of what is read.

Encrypts nothing: the model keeps names of keys only.
Law: no key is used before KMS would have said yes to the caller.
"""

from __future__ import annotations

from dataclasses import replace

from backfill.sandbox.model import protection_refusals as refusals
from backfill.sandbox.model.access import require
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.kms import aws_managed_key_arn, key_arn, region_of
from backfill.sandbox.model.values import (
    CustomerKey,
    Encryption,
    RequestedEncryption,
    ServerSideEncryption,
)
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World

_CUSTOMER_KEY_BYTES = 32
_KMS = frozenset({ServerSideEncryption.SSE_KMS, ServerSideEncryption.DSSE_KMS})


def algorithm_named(name: str) -> ServerSideEncryption:
    """The kind of encryption that the header names."""
    try:
        algorithm = ServerSideEncryption(name)
    except ValueError:
        algorithm = ServerSideEncryption.CUSTOMER
    if algorithm is ServerSideEncryption.CUSTOMER:  # SSE-C has headers of its own
        raise S3Error(refusals.UNKNOWN_ENCRYPTION, fields=(("ArgumentValue", name),))
    return algorithm


def encryption_named(requested: RequestedEncryption, *, account_id: str, region: str) -> Encryption:
    """The encryption that headers or a bucket's configuration name, its key's ARN spelled out.

    Without a key ID the ARN stays open: which `aws/s3` is meant depends on who writes.
    """
    assert requested.algorithm is not None
    algorithm = algorithm_named(requested.algorithm)
    if algorithm not in _KMS:
        if requested.kms_key_id is not None:
            raise S3Error(refusals.KEY_WITHOUT_KMS)
        return Encryption()
    arn = None
    if requested.kms_key_id is not None:
        arn = key_arn(requested.kms_key_id, account_id=account_id, region=region)
    return Encryption(
        algorithm=algorithm,
        kms_key_arn=arn,
        is_bucket_key_enabled=bool(requested.is_bucket_key_enabled),
    )


def with_key(encryption: Encryption, *, account_id: str, region: str) -> Encryption:
    """The same with `aws/s3` of that account in the place of no key (UG: UsingKMSEncryption)."""
    if encryption.algorithm not in _KMS or encryption.kms_key_arn is not None:
        return encryption
    return Encryption(
        algorithm=encryption.algorithm,
        kms_key_arn=aws_managed_key_arn(account_id=account_id, region=region),
        is_bucket_key_enabled=encryption.is_bucket_key_enabled,
    )


def encryption_of_write(
    world: World, caller: Caller, bucket: Bucket, key: str, requested: RequestedEncryption
) -> Encryption:
    """The encryption of a new object: as asked, else the bucket's default."""
    if requested.customer_key is not None:
        return _customer_encryption(bucket, requested, requested.customer_key)
    if requested.algorithm is not None:
        named = encryption_named(requested, account_id=caller.account_id, region=bucket.region)
    elif requested.kms_key_id is not None:
        raise S3Error(refusals.KEY_WITHOUT_KMS)
    else:
        named = bucket.encryption
        asked = requested.is_bucket_key_enabled
        if asked is not None and asked is not named.is_bucket_key_enabled and named.is_kms:
            named = Encryption(
                algorithm=named.algorithm,
                kms_key_arn=named.kms_key_arn,
                is_bucket_key_enabled=asked,
            )
    encryption = with_key(named, account_id=caller.account_id, region=bucket.region)
    if encryption.kms_key_arn is not None:
        arn = world.keys.resolved(encryption.kms_key_arn)
        encryption = replace(encryption, kms_key_arn=arn)
        require_key(world, caller, bucket, key, encryption, "kms:GenerateDataKey")
    return encryption


def _customer_encryption(
    bucket: Bucket, requested: RequestedEncryption, customer_key: CustomerKey
) -> Encryption:
    if requested.algorithm is not None or requested.kms_key_id is not None:
        raise S3Error(refusals.TWO_ENCRYPTIONS)
    _check_customer_algorithm(customer_key)
    if customer_key.size_bytes != _CUSTOMER_KEY_BYTES:
        raise S3Error(refusals.CUSTOMER_KEY_SIZE)
    if bucket.blocks_sse_c:
        raise S3Error(refusals.SSE_C_BLOCKED)
    return Encryption(
        algorithm=ServerSideEncryption.CUSTOMER, customer_key_md5=customer_key.key_md5
    )


def _check_customer_algorithm(customer_key: CustomerKey) -> None:
    if customer_key.algorithm != "AES256":
        fields = (
            ("ArgumentName", "x-amz-server-side-encryption"),
            ("ArgumentValue", customer_key.algorithm),
        )
        raise S3Error(refusals.UNKNOWN_CUSTOMER_ALGORITHM, fields=fields)


def key_context(bucket: Bucket, encryption: Encryption) -> Pairs:
    """The encryption context that KMS sees, where it is not the object's ARN (UG: bucket-key)."""
    if not encryption.is_bucket_key_enabled:
        return ()
    return (("kms:EncryptionContext:aws:s3:arn", bucket.arn),)


def require_key(
    world: World, caller: Caller, bucket: Bucket, key: str, encryption: Encryption, action: str
) -> None:
    """Refuse unless the key works and the caller may do this with it through S3."""
    kms_key_arn = encryption.kms_key_arn
    assert kms_key_arn is not None, "asked of KMS only"
    if region_of(kms_key_arn) != bucket.region or world.keys.is_missing(kms_key_arn):
        message = f"Invalid arn {region_of(kms_key_arn)}"
        raise S3Error(refusals.KMS_KEY_NOT_FOUND, message=message)
    if kms_key_arn in world.keys.disabled:
        raise S3Error(refusals.KMS_KEY_DISABLED, message=f"{kms_key_arn} is disabled.")
    if kms_key_arn in world.keys.pending:
        message = f"{kms_key_arn} is pending deletion."
        raise S3Error(refusals.KMS_KEY_PENDING, message=message)
    own = aws_managed_key_arn(account_id=caller.account_id, region=bucket.region)
    if kms_key_arn != own:  # aws/s3 is for everyone in its account who may use S3
        context = key_context(bucket, encryption)
        require(world, caller, action, bucket, key, kms_key_arn=kms_key_arn, conditions=context)


def check_decryption(world: World, caller: Caller, bucket: Bucket, version: ObjectVersion) -> None:
    """Refuse to read bytes whose KMS key the caller may not use."""
    if version.encryption.is_kms:
        require_key(world, caller, bucket, version.key, version.encryption, "kms:Decrypt")


def check_customer_key(encryption: Encryption, sent: CustomerKey | None) -> None:
    """Refuse to read SSE-C without its key, and anything else with one."""
    if sent is not None:
        _check_customer_algorithm(sent)
    if encryption.algorithm is not ServerSideEncryption.CUSTOMER:
        if sent is not None:
            raise S3Error(refusals.CUSTOMER_KEY_NOT_APPLICABLE)
    elif sent is None:
        raise S3Error(refusals.CUSTOMER_KEY_NEEDED)
    elif sent.key_md5 != encryption.customer_key_md5:
        raise S3Error(refusals.CUSTOMER_KEY_WRONG)
