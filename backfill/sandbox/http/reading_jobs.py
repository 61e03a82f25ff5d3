"""From a routed request of S3 Control to the model's request: jobs, manifests, reports, tags.

Never validates what a job means: the model does. One law: an element that the schema does not have,
or has once and finds twice, is MalformedXML; nothing is dropped.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.reading_values import needed_text, xml_number
from backfill.sandbox.http.refusals import invalid_request, malformed_xml
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.operations import jobs

T = TypeVar("T")

_FACT = "S3 API: CreateJob"
_OPERATIONS = frozenset(
    {
        "LambdaInvoke",
        "S3PutObjectCopy",
        "S3PutObjectAcl",
        "S3PutObjectTagging",
        "S3DeleteObjectTagging",
        "S3InitiateRestoreObject",
        "S3PutObjectLegalHold",
        "S3PutObjectRetention",
        jobs.REPLICATE,
        jobs.COMPUTE_CHECKSUM,
    }
)
_FILTERS = """EligibleForReplication CreatedAfter CreatedBefore ObjectReplicationStatuses
    KeyNameConstraint ObjectSizeGreaterThanBytes ObjectSizeLessThanBytes MatchAnyStorageClass
    MatchAnyObjectEncryption"""
_ENCRYPTIONS = {
    "SSE-S3": "SSES3",
    "SSE-KMS": "SSEKMS",
    "DSSE-KMS": "DSSEKMS",
    "SSE-C": "SSEC",
    "NOT-SSE": "NOTSSE",
}
"""The filters' elements and the names of the API's members for them."""


def create_job(inbound: Inbound) -> jobs.CreateJobRequest:
    root = _only(
        inbound.document("CreateJobRequest"),
        "ConfirmationRequired Operation Report ClientRequestToken Manifest ManifestGenerator"
        " Description Priority RoleArn Tags",
    )
    return jobs.CreateJobRequest(
        account_id=_account(inbound),
        operation=_read(root, "Operation", _operation),
        report=_read(root, "Report", _report),
        client_request_token=root.text_of("ClientRequestToken"),
        priority=_read(root, "Priority", _number),
        role_arn=root.text_of("RoleArn"),
        manifest=_read(root, "Manifest", _manifest),
        manifest_generator=_read(root, "ManifestGenerator", _generator),
        is_confirmation_required=_read(root, "ConfirmationRequired", _boolean),
        description=root.text_of("Description"),
        tags=_read(root, "Tags", _tags) or (),
    )


def job(inbound: Inbound) -> jobs.JobRequest:
    return jobs.JobRequest(account_id=_account(inbound), job_id=inbound.key)


def list_jobs(inbound: Inbound) -> jobs.ListJobsRequest:
    pairs = inbound.request.query_pairs()
    return jobs.ListJobsRequest(
        account_id=_account(inbound),
        job_statuses=tuple(value for name, value in pairs if name == "jobStatuses"),
        next_token=inbound.query.get("nextToken"),
        max_results=_query_number(inbound, "maxResults"),
    )


def update_status(inbound: Inbound) -> jobs.UpdateJobStatusRequest:
    return jobs.UpdateJobStatusRequest(
        account_id=_account(inbound),
        job_id=inbound.key,
        requested_job_status=inbound.query.get("requestedJobStatus", ""),
        status_update_reason=inbound.query.get("statusUpdateReason"),
    )


def update_priority(inbound: Inbound) -> jobs.UpdateJobPriorityRequest:
    return jobs.UpdateJobPriorityRequest(
        account_id=_account(inbound),
        job_id=inbound.key,
        priority=_query_number(inbound, "priority"),
    )


def put_tagging(inbound: Inbound) -> jobs.PutJobTaggingRequest:
    root = _only(inbound.document("PutJobTaggingRequest"), "Tags")
    tags = _read(root, "Tags", _tags)
    if tags is None:
        raise malformed_xml(fact="S3 API: PutJobTagging")
    return jobs.PutJobTaggingRequest(account_id=_account(inbound), job_id=inbound.key, tags=tags)


# --- elements ---


def _operation(element: Element) -> jobs.JobOperation:
    _only(element, " ".join(_OPERATIONS))
    replicate = element.child(jobs.REPLICATE)
    return jobs.JobOperation(
        names=tuple(child.name for child in element.children),
        parameters=() if replicate is None else tuple(each.name for each in replicate.children),
        compute_checksum=_read(element, jobs.COMPUTE_CHECKSUM, _compute_checksum),
    )


def _compute_checksum(element: Element) -> jobs.ComputeObjectChecksum:
    _only(element, "ChecksumAlgorithm ChecksumType")
    return jobs.ComputeObjectChecksum(
        checksum_algorithm=element.text_of("ChecksumAlgorithm"),
        checksum_type=element.text_of("ChecksumType"),
    )


def _report(element: Element) -> jobs.JobReport:
    _only(element, "Bucket Format Enabled Prefix ReportScope ExpectedBucketOwner")
    return jobs.JobReport(
        is_enabled=_boolean(_needed(element, "Enabled")),
        bucket=element.text_of("Bucket"),
        format=element.text_of("Format"),
        prefix=element.text_of("Prefix"),
        report_scope=element.text_of("ReportScope"),
        expected_bucket_owner=element.text_of("ExpectedBucketOwner"),
    )


def _manifest(element: Element) -> jobs.JobManifest:
    _only(element, "Spec Location")
    spec = _only(_needed(element, "Spec"), "Format Fields")
    location = _only(_needed(element, "Location"), "ObjectArn ObjectVersionId ETag")
    return jobs.JobManifest(
        spec=jobs.JobManifestSpec(
            format=needed_text(spec, "Format"), fields=_read(spec, "Fields", _texts)
        ),
        location=jobs.JobManifestLocation(
            object_arn=needed_text(location, "ObjectArn"),
            etag=location.text_of("ETag"),
            object_version_id=location.text_of("ObjectVersionId"),
        ),
    )


def _generator(element: Element) -> jobs.S3JobManifestGenerator:
    inner = _needed(_only(element, "S3JobManifestGenerator"), "S3JobManifestGenerator")
    _only(
        inner,
        "ExpectedBucketOwner SourceBucket ManifestOutputLocation Filter EnableManifestOutput",
    )
    return jobs.S3JobManifestGenerator(
        source_bucket=needed_text(inner, "SourceBucket"),
        is_manifest_output_enabled=_boolean(_needed(inner, "EnableManifestOutput")),
        expected_bucket_owner=inner.text_of("ExpectedBucketOwner"),
        manifest_output_location=_read(inner, "ManifestOutputLocation", _output_location),
        filter=_read(inner, "Filter", _filter),
    )


def _output_location(element: Element) -> jobs.S3ManifestOutputLocation:
    _only(
        element,
        "ExpectedManifestBucketOwner Bucket ManifestPrefix ManifestEncryption ManifestFormat",
    )
    encryption = element.child("ManifestEncryption")
    has_sse_s3, key_id = False, None
    if encryption is not None:
        _only(encryption, "SSE-S3 SSE-KMS")
        has_sse_s3 = encryption.child("SSE-S3") is not None
        key_id = _read(encryption, "SSE-KMS", lambda kms: needed_text(_only(kms, "KeyId"), "KeyId"))
    return jobs.S3ManifestOutputLocation(
        bucket=needed_text(element, "Bucket"),
        manifest_format=needed_text(element, "ManifestFormat"),
        expected_manifest_bucket_owner=element.text_of("ExpectedManifestBucketOwner"),
        manifest_prefix=element.text_of("ManifestPrefix"),
        has_sse_s3=has_sse_s3,
        sse_kms_key_id=key_id,
    )


def _filter(element: Element) -> jobs.JobManifestGeneratorFilter:
    _only(element, _FILTERS)
    return jobs.JobManifestGeneratorFilter(
        is_eligible_for_replication=_read(element, "EligibleForReplication", _boolean),
        created_after=_read(element, "CreatedAfter", _time),
        created_before=_read(element, "CreatedBefore", _time),
        object_replication_statuses=_read(element, "ObjectReplicationStatuses", _texts) or (),
        key_name_constraint=_read(element, "KeyNameConstraint", _key_names),
        object_size_greater_than_bytes=_read(element, "ObjectSizeGreaterThanBytes", _number),
        object_size_less_than_bytes=_read(element, "ObjectSizeLessThanBytes", _number),
        match_any_storage_class=_read(element, "MatchAnyStorageClass", _texts) or (),
        match_any_object_encryption=_read(element, "MatchAnyObjectEncryption", _encryptions) or (),
    )


def _key_names(element: Element) -> jobs.KeyNameConstraint:
    _only(element, "MatchAnyPrefix MatchAnySuffix MatchAnySubstring")
    return jobs.KeyNameConstraint(
        match_any_prefix=_read(element, "MatchAnyPrefix", _texts) or (),
        match_any_suffix=_read(element, "MatchAnySuffix", _texts) or (),
        match_any_substring=_read(element, "MatchAnySubstring", _texts) or (),
    )


def _encryptions(element: Element) -> tuple[jobs.ObjectEncryptionFilter, ...]:
    filters = []
    for wrapper in element.children:
        if wrapper.name != "ObjectEncryption" or len(wrapper.children) != 1:
            raise malformed_xml(fact=_FACT)
        kind = _only(wrapper, " ".join(_ENCRYPTIONS)).children[0]
        _only(kind, "KmsKeyArn BucketKeyEnabled")
        filters.append(
            jobs.ObjectEncryptionFilter(
                kind=_ENCRYPTIONS[kind.name],
                kms_key_arn=kind.text_of("KmsKeyArn"),
                is_bucket_key_enabled=_read(kind, "BucketKeyEnabled", _boolean),
            )
        )
    return tuple(filters)


def _tags(element: Element) -> Pairs:
    return tuple(
        (needed_text(each, "Key"), needed_text(each, "Value"))
        for each in (_only(member, "Key Value") for member in _list(element))
    )


# --- what all of them share ---


def _account(inbound: Inbound) -> str:
    account_id = inbound.header("x-amz-account-id")
    assert account_id is not None, "checked before the request is read"
    return account_id


def _only(element: Element, names: str) -> Element:
    """The element, if it holds nothing but these children, each at most once."""
    held = [child.name for child in element.children]
    if len(set(held)) != len(held) or not set(held) <= set(names.split()):
        raise malformed_xml(fact=_FACT)
    return element


def _read(element: Element, name: str, read: Callable[[Element], T]) -> T | None:
    child = element.child(name)
    return None if child is None else read(child)


def _needed(element: Element, name: str) -> Element:
    child = element.child(name)
    if child is None:
        raise malformed_xml(fact=_FACT)
    return child


def _list(element: Element) -> tuple[Element, ...]:
    if any(child.name != "member" for child in element.children):
        raise malformed_xml(fact=_FACT)
    return element.children


def _texts(element: Element) -> tuple[str, ...]:
    return tuple(child.text for child in _list(element))


def _boolean(element: Element) -> bool:
    if element.text not in {"true", "false"}:
        raise malformed_xml(fact=_FACT)
    return element.text == "true"


def _number(element: Element) -> int:
    return xml_number(element.text)


def _time(element: Element) -> datetime:
    try:
        moment = datetime.fromisoformat(element.text.strip())
    except ValueError as error:
        raise malformed_xml(fact=_FACT) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _query_number(inbound: Inbound, name: str) -> int | None:
    text = inbound.query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise invalid_request(f"{name} must be a whole number", fact=f"S3 API: {name}")
    return int(text)
