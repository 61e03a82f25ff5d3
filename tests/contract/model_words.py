"""Between the model's requests and results and the words of the cases.

Law: nothing is decided here that the model should decide.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from botocore.serialize import create_serializer
from botocore.session import get_session

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations import copies, multipart, objects
from backfill.sandbox.model.values import (
    Checksum,
    ContentHeaders,
    ReadConditions,
    RequestedEncryption,
    SentChecksum,
    WrittenAttributes,
)
from tests.contract.model_protection_words import grants_of, key_of, lock_of, said_of
from tests.contract.vocabulary import (
    Attributes,
    Guard,
    Head,
    Refused,
    ReplicationConfiguration,
    Source,
    Sum,
    Written,
)

PAGE_SIZE = 1000
"""What S3 takes when a request names no page size."""


@contextmanager
def refusing(operation: str) -> Iterator[None]:
    """Say a refusal in the case's words: without a code where HTTP has no body for it."""
    try:
        yield
    except S3Error as error:
        has_body = not operation.startswith("head_") and error.status != 304
        code = error.code if has_body else None
        raise Refused(operation, error.status, code, dict(error.headers)) from error


def attributes_of(attributes: Attributes) -> WrittenAttributes:
    return WrittenAttributes(
        content=ContentHeaders(
            content_type=attributes.content_type or ContentHeaders().content_type,
            cache_control=attributes.cache_control,
            content_disposition=attributes.content_disposition,
            content_encoding=attributes.content_encoding,
            content_language=attributes.content_language,
            expires=attributes.expires,
        ),
        # Names of metadata are header names: HTTP knows no case in them.
        metadata=tuple((name.lower(), value) for name, value in attributes.metadata),
        tags=attributes.tags,
        storage_class=attributes.storage_class,
        encryption=RequestedEncryption(
            algorithm=attributes.encryption,
            kms_key_id=attributes.kms_key_id,
            customer_key=key_of(attributes.customer_key),
        ),
        website_redirect_location=attributes.website_redirect_location,
        lock=lock_of(attributes.lock),
        acl=attributes.acl,
        grants=grants_of(attributes.grants),
    )


def conditions_of(guard: Guard) -> ReadConditions:
    return ReadConditions(
        if_match=guard.if_match,
        if_none_match=guard.if_none_match,
        if_modified_since=guard.if_modified_since,
        if_unmodified_since=guard.if_unmodified_since,
    )


def source_of(source: Source) -> copies.CopySource:
    return copies.CopySource(
        bucket=source.bucket,
        key=source.key,
        version_id=source.version_id,
        conditions=conditions_of(source.guard),
        customer_key=key_of(source.customer_key),
        expected_bucket_owner=source.owner,
    )


def sent_of(checksum: Sum | None) -> SentChecksum | None:
    return SentChecksum(algorithm=checksum.algorithm, value=checksum.value) if checksum else None


def sum_of(checksum: Checksum | None) -> Sum | None:
    """As headers say it."""
    if checksum is None:
        return None
    return Sum(algorithm=checksum.algorithm, value=checksum.text, type=checksum.type)


def bare_sum_of(checksum: Checksum | None, *, is_type_said: bool = False) -> Sum | None:
    """As parts and GetObjectAttributes say it: without `-N`."""
    if checksum is None:
        return None
    told = checksum.type if is_type_said else None
    return Sum(algorithm=checksum.algorithm, value=checksum.value, type=told)


def written_of(
    answer: objects.PutObjectResult
    | copies.CopyObjectResult
    | multipart.CompleteMultipartUploadResult,
    *,
    source_version_id: str | None = None,
) -> Written:
    return Written(
        etag=answer.etag,
        version_id=answer.version_id,
        checksum=sum_of(answer.checksum),
        source_version_id=source_version_id,
        encryption=None if answer.encryption.customer_key_md5 else answer.encryption.algorithm,
    )


def head_of(told: objects.ObjectDescription) -> Head:
    return Head(
        status=told.status,
        etag=told.etag,
        size_bytes=told.size_bytes,
        version_id=told.version_id,
        last_modified=told.last_modified,
        attributes=Attributes(
            content_type=told.content.content_type,
            cache_control=told.content.cache_control,
            content_disposition=told.content.content_disposition,
            content_encoding=told.content.content_encoding,
            content_language=told.content.content_language,
            expires=told.content.expires,
            metadata=tuple(sorted(told.metadata)),
            storage_class=told.storage_class,
            encryption=None if told.encryption.customer_key_md5 else told.encryption.algorithm,
            kms_key_id=told.encryption.kms_key_arn,
            website_redirect_location=told.website_redirect_location,
            lock=said_of(told.lock),
        ),
        checksum=sum_of(told.checksum),
        tag_count=told.tag_count,
        parts_count=told.parts_count,
        content_range=told.content_range,
        replication_status=told.replication_status,
        customer_key_md5=told.encryption.customer_key_md5,
    )


@cache
def _put_replication() -> Any:
    return get_session().get_service_model("s3").operation_model("PutBucketReplication")


def replication_xml(bucket: str, configuration: ReplicationConfiguration) -> str:
    """Write the configuration as an SDK sends it: the model reads XML with a parser of its own."""
    serializer: Any = create_serializer("rest-xml", include_validation=False)
    arguments = {"Bucket": bucket, "ReplicationConfiguration": configuration}
    body: bytes = serializer.serialize_to_request(arguments, _put_replication())["body"]
    return body.decode()
