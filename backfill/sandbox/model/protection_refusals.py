"""Every way in which S3 refuses what protects an object: ACLs, encryption, Object Lock.

UG is the S3 User Guide, API the S3 API Reference.
Law: as `refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.refusals import refusal

# ACLs
ACL_NOT_SUPPORTED = refusal(
    "AccessControlListNotSupported",
    400,
    "The bucket does not allow ACLs",
    "With BucketOwnerEnforced only full control of the bucket owner is taken "
    "(UG: object-ownership-error-responses)",
)
UNKNOWN_ACL = refusal("InvalidArgument", 400, "Invalid canned ACL", "(UG: acl-overview)")
TWO_ACLS = refusal(
    "InvalidRequest",
    400,
    "Specifying both Canned ACLs and Header Grants is not allowed",
    "A canned ACL or grants, never both (API: PutObject, x-amz-acl)",
)
MALFORMED_ACL = refusal(
    "MalformedACLError",
    400,
    "The XML you provided was not well-formed or did not validate against our published schema",
    "An ACL names its owner and up to 100 grants (UG: acl-overview)",
)
ACL_OF_ANOTHER_OWNER = refusal(
    "AccessDenied",
    403,
    "Access Denied",
    "An ACL's document names the owner that the object has (API: PutObjectAcl)",
)
UNKNOWN_GRANTEE = refusal(
    "InvalidArgument", 400, "Invalid id", "Grantees are canonical user IDs (UG: acl-overview)"
)
UNKNOWN_GROUP = refusal(
    "InvalidArgument",
    400,
    "Invalid group uri",
    "AllUsers, AuthenticatedUsers and LogDelivery are all groups there are (UG: acl-overview)",
)
EMAIL_GRANTEE = refusal(
    "MethodNotAllowed",
    405,
    "The specified method is not allowed against this resource.",
    "E-mail grantees are refused since October 2025 (API: PutObjectAcl)",
)
PUBLIC_ACL_BLOCKED = refusal(
    "AccessDenied",
    403,
    "Access Denied because public ACLs are blocked by the BlockPublicAcls block public access "
    "setting.",
    "BlockPublicAcls refuses writes with a public ACL (UG: access-control-block-public-access)",
)

# Encryption
UNKNOWN_ENCRYPTION = refusal(
    "InvalidArgument",
    400,
    "The encryption method specified is not supported",
    "AES256, aws:kms and aws:kms:dsse (UG: serv-side-encryption)",
)
KEY_WITHOUT_KMS = refusal(
    "InvalidArgument",
    400,
    "Server Side Encryption with AWS KMS managed key requires HTTP header "
    "x-amz-server-side-encryption : aws:kms",
    "A KMS key ID goes only with aws:kms or aws:kms:dsse (UG: specifying-kms-encryption)",
)
TWO_ENCRYPTIONS = refusal(
    "InvalidArgument",
    400,
    "Server Side Encryption with Customer provided key is incompatible with the encryption method "
    "specified",
    "SSE-C excludes the other kinds of encryption (UG: ServerSideEncryptionCustomerKeys)",
)
SSE_C_BLOCKED = refusal(
    "AccessDenied",
    403,
    "Server-side encryption with customer-provided keys (SSE-C) is blocked for this bucket",
    "New buckets block SSE-C since April 2026 (UG: blocking-unblocking-s3-c-encryption-gpb)",
)
CUSTOMER_KEY_NEEDED = refusal(
    "InvalidRequest",
    400,
    "The object was stored using a form of Server Side Encryption. The correct parameters must be "
    "provided to retrieve the object.",
    "An SSE-C object is read only with its key (UG: ServerSideEncryptionCustomerKeys)",
)
UNKNOWN_CUSTOMER_ALGORITHM = refusal(
    "InvalidEncryptionAlgorithmError",
    400,
    "The Encryption request you specified is not valid. Supported value: AES256.",
    "SSE-C knows one algorithm (UG: ServerSideEncryptionCustomerKeys)",
)
CUSTOMER_KEY_SIZE = refusal(
    "InvalidArgument",
    400,
    "The secret key was invalid for the specified algorithm.",
    "A customer key has 256 bits (UG: ServerSideEncryptionCustomerKeys)",
)
CUSTOMER_KEY_WRONG = refusal(
    "AccessDenied",
    403,
    "Requests specifying Server Side Encryption with Customer provided keys must provide the "
    "correct secret key.",
    "An SSE-C object is read only with its own key (UG: ServerSideEncryptionCustomerKeys)",
)
CUSTOMER_KEY_NOT_APPLICABLE = refusal(
    "InvalidRequest",
    400,
    "The encryption parameters are not applicable to this object.",
    "SSE-C headers go only with SSE-C objects (UG: ServerSideEncryptionCustomerKeys)",
)
KMS_KEY_NOT_FOUND = refusal(
    "KMS.NotFoundException",
    400,
    "Invalid key ARN, or the key does not exist",
    "The KMS key must exist, in the bucket's Region (UG: UsingKMSEncryption)",
)
KMS_KEY_DISABLED = refusal(
    "KMS.DisabledException", 400, "The key is disabled.", "(UG: UsingKMSEncryption)"
)
KMS_KEY_PENDING = refusal(
    "KMS.KMSInvalidStateException",
    400,
    "The key is pending deletion.",
    "A key that waits for its deletion does nothing (UG: UsingKMSEncryption)",
)

# Object Lock
LOCK_ON_UNLOCKED_BUCKET = refusal(
    "InvalidRequest",
    400,
    "Bucket is missing ObjectLockConfiguration",
    "Writes with lock headers need a bucket with Object Lock (UG: object-lock)",
)
LOCK_NEEDS_CHECKSUM = refusal(
    "InvalidRequest",
    400,
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object "
    "Lock parameters",
    "What will be retained must come with a checksum (API: PutObject, Content-MD5)",
)
BYPASS_WITHOUT_LOCK = refusal(
    "InvalidArgument",
    400,
    "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
    "There is no governance mode without Object Lock (UG: object-lock)",
)
BUCKET_HAS_NO_LOCK = refusal(
    "InvalidRequest",
    400,
    "Bucket is missing Object Lock Configuration",
    "Lock headers need a bucket with Object Lock (UG: object-lock)",
)
OBJECT_HAS_NO_LOCK = refusal(
    "NoSuchObjectLockConfiguration",
    404,
    "The specified object does not have a ObjectLock configuration",
    "(API: GetObjectRetention)",
)
LOCKED = refusal(
    "AccessDenied",
    403,
    "Access Denied because object protected by object lock.",
    "A version under retention or legal hold is not removed, nor its retention shortened "
    "(UG: object-lock)",
)
INVALID_LOCK = refusal(
    "InvalidArgument",
    400,
    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
    "Retention is GOVERNANCE or COMPLIANCE until a date to come (API: PutObjectRetention)",
)
