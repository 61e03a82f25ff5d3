"""Every way in which S3 refuses a request for an object, one entry each.

Pages: UG is the S3 User Guide, API the S3 API Reference. ACLs, encryption and Object Lock, buckets,
multipart uploads and replication configurations have tables of their own
(`protection_refusals.py`, `bucket_refusals.py`, `upload_refusals.py`, `replication/`).
Law: nothing is refused in the model but by an entry of these tables.
"""

from __future__ import annotations

from backfill.sandbox.model.errors import Refusal


def refusal(code: str, status: int, message: str, fact: str) -> Refusal:
    """Write a line of the table."""
    return Refusal(code=code, status=status, message=message, fact=fact)


# Access
ACCESS_DENIED = refusal(
    "AccessDenied",
    403,
    "Access Denied",
    "Policies must allow each action that a request needs (UG: access-policy-language-overview)",
)
WRONG_BUCKET_OWNER = refusal(
    "AccessDenied",
    403,
    "Access Denied",
    "An expected bucket owner that is not the owner fails the request (UG: bucket-owner-condition)",
)

# Buckets
NO_SUCH_BUCKET = refusal(
    "NoSuchBucket", 404, "The specified bucket does not exist", "(API: ErrorResponses)"
)
MALFORMED_XML = refusal(
    "MalformedXML",
    400,
    "The XML you provided was not well-formed or did not validate against our published schema",
    "A body that does not follow the schema is refused (API: ErrorResponses)",
)

# Keys, versions
NO_SUCH_KEY = refusal(
    "NoSuchKey",
    404,
    "The specified key does not exist.",
    "Without a version ID the current version is meant; a delete marker counts as nothing "
    "(UG: DeleteMarker)",
)
NO_SUCH_VERSION = refusal(
    "NoSuchVersion", 404, "The specified version does not exist.", "(API: ErrorResponses)"
)
INVALID_VERSION_ID = refusal(
    "InvalidArgument",
    400,
    "Invalid version id specified",
    "Version IDs that S3 cannot have made are refused, not looked up (API: ErrorResponses)",
)
MARKER_HAS_NO_CONTENT = refusal(
    "MethodNotAllowed",
    405,
    "The specified method is not allowed against this resource.",
    "A delete marker's version ID allows only DELETE (UG: DeleteMarker)",
)
KEY_TOO_LONG = refusal(
    "KeyTooLongError", 400, "Your key is too long", "Keys have up to 1,024 bytes (UG: object-keys)"
)

# Conditions
PRECONDITION_FAILED = refusal(
    "PreconditionFailed",
    412,
    "At least one of the pre-conditions you specified did not hold",
    "(UG: conditional-requests)",
)
NOT_MODIFIED = refusal(
    "NotModified", 304, "Not Modified", "If-None-Match and If-Modified-Since (API: GetObject)"
)
CONDITION_NOT_IMPLEMENTED = refusal(
    "NotImplemented",
    501,
    "A header you provided implies functionality that is not implemented",
    "Writes take If-Match with an ETag, or If-None-Match with *, not both (UG: conditional-writes)",
)
CONDITIONAL_CONFLICT = refusal(
    "ConditionalRequestConflict",
    409,
    "The conditional request cannot succeed due to a conflicting operation against this resource.",
    "A write or delete of the key while a conditional write is under way (UG: conditional-writes)",
)

# Ranges and parts
INVALID_RANGE = refusal(
    "InvalidRange",
    416,
    "The requested range is not satisfiable",
    "A range must begin within the object (API: GetObject)",
)
INVALID_PART_NUMBER = refusal(
    "InvalidPartNumber",
    416,
    "The requested partnumber is not satisfiable",
    "An object that was not uploaded in parts has only part 1 (API: GetObject)",
)
RANGE_AND_PART = refusal(
    "InvalidRequest",
    400,
    "Cannot specify both Range header and partNumber query parameter",
    "(API: GetObject)",
)

# Bytes
BAD_CONTENT_MD5 = refusal(
    "BadDigest",
    400,
    "The Content-MD5 you specified did not match what we received.",
    "Content-MD5 is checked against the body (API: PutObject)",
)
INVALID_CONTENT_MD5 = refusal(
    "InvalidDigest",
    400,
    "The Content-MD5 you specified was invalid.",
    "Content-MD5 is the base64 of 16 bytes (API: ErrorResponses)",
)
BAD_CHECKSUM = refusal(
    "BadDigest",
    400,
    "The checksum you specified did not match the calculated checksum.",
    "A checksum that is sent is checked (UG: checking-object-integrity-upload)",
)
INVALID_CHECKSUM_VALUE = refusal(
    "InvalidRequest",
    400,
    "Value for x-amz-checksum header is invalid.",
    "A checksum is base64 of the length of its algorithm (UG: checking-object-integrity-upload)",
)
UNKNOWN_CHECKSUM_ALGORITHM = refusal(
    "InvalidRequest",
    400,
    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
    "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    "The algorithms of the Checksum type, as far as this model computes them (API: Checksum)",
)
ENTITY_TOO_LARGE = refusal(
    "EntityTooLarge",
    400,
    "Your proposed upload exceeds the maximum allowed size",
    "One PUT takes up to 5 GB (UG: qfacts)",
)

# Attributes
METADATA_TOO_LARGE = refusal(
    "MetadataTooLarge",
    400,
    "Your metadata headers exceed the maximum allowed metadata size",
    "User metadata has up to 2 KB, names and values together (UG: UsingMetadata)",
)
TOO_MANY_TAGS = refusal(
    "BadRequest", 400, "Object tags cannot be greater than 10", "(UG: object-tagging)"
)
INVALID_TAG = refusal(
    "InvalidTag",
    400,
    "The tag provided was not a valid tag.",
    "Keys are unique, of 1 to 128 characters, not aws:...; values have up to 256 "
    "(UG: object-tagging)",
)
INVALID_STORAGE_CLASS = refusal(
    "InvalidStorageClass",
    400,
    "The storage class you specified is not valid",
    "(UG: storage-class-intro)",
)
INVALID_REDIRECT = refusal(
    "InvalidRedirectLocation",
    400,
    "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
    "Another object of the bucket or a URL, of up to 2 KB (API: PutObject)",
)

# Archives and copies
ARCHIVED = refusal(
    "InvalidObjectState",
    403,
    "The operation is not valid for the object's storage class",
    "An archived object is restored before it is read (UG: archived-objects)",
)
ARCHIVED_TIER = refusal(
    "ObjectNotInActiveTierError",
    403,
    "The source object of the COPY action is not in the active tier.",
    "An INTELLIGENT_TIERING object in an archive tier is restored before a copy (API: CopyObject)",
)
COPY_OF_MARKER = refusal(
    "InvalidRequest",
    400,
    "The source of a copy request may not specifically refer to a delete marker by version id.",
    "A delete marker is no copy source (API: CopyObject)",
)
COPY_TO_ITSELF = refusal(
    "InvalidRequest",
    400,
    "This copy request is illegal because it is trying to copy an object to itself without "
    "changing the object's metadata, storage class, website redirect location or encryption "
    "attributes.",
    "A copy in place must change something (API: CopyObject)",
)
COPY_SOURCE_TOO_LARGE = refusal(
    "InvalidRequest",
    400,
    "The specified copy source is larger than the maximum allowable size for a copy source",
    "CopyObject copies up to 5 GB (API: CopyObject)",
)
UNKNOWN_DIRECTIVE = refusal(
    "InvalidArgument",
    400,
    "Unknown metadata or tagging directive.",
    "COPY or REPLACE (API: CopyObject)",
)
RESTORE_NOT_ALLOWED = refusal(
    "InvalidObjectState",
    403,
    "Restore is not allowed for the object's current storage class",
    "Only archived objects are restored (API: RestoreObject)",
)
TIER_NOT_SUPPORTED = refusal(
    "InvalidArgument",
    400,
    "Retrieval option is not supported by this storage class",
    "Deep archives have no Expedited retrieval (UG: restoring-objects-retrieval-options)",
)
EXPEDITED_NOT_AVAILABLE = refusal(
    "GlacierExpeditedRetrievalNotAvailable",
    503,
    "Glacier expedited retrievals are currently not available, please try again later",
    "Without provisioned capacity Expedited may be had or not (API: RestoreObject)",
)
RESTORE_IN_PROGRESS = refusal(
    "RestoreAlreadyInProgress",
    409,
    "Object restore is already in progress",
    "(API: RestoreObject)",
)

# Listings
VERSION_MARKER_ALONE = refusal(
    "InvalidArgument",
    400,
    "A version-id marker cannot be specified without a key marker.",
    "(API: ListObjectVersions)",
)
INVALID_MAX_KEYS = refusal(
    "InvalidArgument",
    400,
    "Argument maxKeys must be an integer between 0 and 2147483647",
    "(API: ListObjectsV2)",
)
BAD_CONTINUATION_TOKEN = refusal(
    "InvalidArgument",
    400,
    "The continuation token provided is incorrect",
    "A token comes from the page before (API: ListObjectsV2)",
)
NO_ATTRIBUTES = refusal(
    "InvalidRequest",
    400,
    "The x-amz-object-attributes header specifying the attributes to be retrieved is either "
    "missing or empty",
    "(API: GetObjectAttributes)",
)
UNKNOWN_ATTRIBUTE = refusal(
    "InvalidArgument", 400, "Invalid attribute name specified.", "(API: GetObjectAttributes)"
)
