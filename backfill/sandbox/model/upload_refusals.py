"""Every way in which S3 refuses a request for a multipart upload, one entry each.

UG is the S3 User Guide, API the S3 API Reference.
Law: as `refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.refusals import refusal

PART_WITHOUT_KEY = refusal(
    "InvalidRequest",
    400,
    "The multipart upload initiate requested encryption. Subsequent part requests must include "
    "the appropriate encryption parameters.",
    "Each part says the customer key of its upload (UG: ServerSideEncryptionCustomerKeys)",
)
PART_WITH_OTHER_KEY = refusal(
    "InvalidRequest",
    400,
    "The provided encryption parameters did not match the ones used originally.",
    "Each part says the customer key of its upload (UG: ServerSideEncryptionCustomerKeys)",
)
PART_NEEDS_CHECKSUM = refusal(
    "InvalidRequest",
    400,
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with Object "
    "Lock parameters",
    "What will be retained must come with a checksum (API: UploadPart, Content-MD5)",
)
NO_SUCH_UPLOAD = refusal(
    "NoSuchUpload",
    404,
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
    "been aborted or completed.",
    "(API: ErrorResponses)",
)
INVALID_PART_NUMBER = refusal(
    "InvalidArgument",
    400,
    "Part number must be an integer between 1 and 10000, inclusive",
    "(UG: qfacts)",
)
INVALID_PART = refusal(
    "InvalidPart",
    400,
    "One or more of the specified parts could not be found. The part may not have been uploaded, "
    "or the specified entity tag may not match the part's entity tag.",
    "Complete names parts that were uploaded, with their ETags and checksums "
    "(API: CompleteMultipartUpload)",
)
INVALID_PART_ORDER = refusal(
    "InvalidPartOrder",
    400,
    "The list of parts was not in ascending order. Parts must be ordered by part number.",
    "(API: CompleteMultipartUpload)",
)
PART_TOO_SMALL = refusal(
    "EntityTooSmall",
    400,
    "Your proposed upload is smaller than the minimum allowed size",
    "Every part but the last has 5 MiB or more (API: CompleteMultipartUpload)",
)
NO_PARTS = refusal(
    "MalformedXML",
    400,
    "The XML you provided was not well-formed or did not validate against our published schema",
    "An upload is completed with at least one part (API: CompleteMultipartUpload)",
)
INVALID_COPY_RANGE = refusal(
    "InvalidArgument",
    400,
    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
    "are the zero-based offsets of the first and last bytes to copy",
    "(API: UploadPartCopy)",
)
COPY_RANGE_OUTSIDE = refusal(
    "InvalidArgument",
    400,
    "Range specified is not valid for source object",
    "A copied range lies within its source (API: UploadPartCopy)",
)
TYPE_WITHOUT_ALGORITHM = refusal(
    "InvalidRequest",
    400,
    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
    "A checksum type goes only with an algorithm (API: CreateMultipartUpload)",
)
TYPE_NOT_FOR_ALGORITHM = refusal(
    "InvalidRequest",
    400,
    "The checksum type cannot be used with the checksum algorithm.",
    "SHA1 and SHA256 are COMPOSITE only, CRC64NVME FULL_OBJECT only "
    "(UG: checking-object-integrity-upload)",
)
UNKNOWN_CHECKSUM_TYPE = refusal(
    "InvalidRequest",
    400,
    "Value for x-amz-checksum-type header is invalid.",
    "COMPOSITE or FULL_OBJECT (API: CreateMultipartUpload)",
)
PART_OF_OTHER_ALGORITHM = refusal(
    "InvalidRequest",
    400,
    "Checksum Type mismatch occurred, expected checksum Type differs from actual checksum Type",
    "A part's checksum has the algorithm of its upload (API: UploadPart)",
)
PART_CHECKSUM_MISSING = refusal(
    "InvalidRequest",
    400,
    "The upload was created using a checksum. The complete request must include the checksum for "
    "each part. It was missing for a part in the request.",
    "A COMPOSITE upload is completed with the checksums of its parts "
    "(API: CompleteMultipartUpload)",
)
COMPLETED_TYPE_UNKNOWN = refusal(
    "InvalidRequest",
    400,
    "The upload was created using the null checksum mode. The complete request must use the same "
    "checksum mode.",
    "Without an algorithm at Create no checksum type is said (API: CompleteMultipartUpload)",
)
COMPLETED_TYPE_DIFFERS = refusal(
    "BadDigest",
    400,
    "The checksum type you specified did not match the checksum type of the upload.",
    "Complete repeats the checksum type of Create, or says none (API: CompleteMultipartUpload)",
)
COMPLETED_CHECKSUM_DIFFERS = refusal(
    "BadDigest",
    400,
    "The checksum you specified did not match the calculated checksum.",
    "A checksum of the whole object is checked (API: CompleteMultipartUpload)",
)
COMPLETED_SIZE_DIFFERS = refusal(
    "InvalidRequest",
    400,
    "The provided 'x-amz-mp-object-size' header does not match the calculated object size.",
    "(API: CompleteMultipartUpload)",
)
