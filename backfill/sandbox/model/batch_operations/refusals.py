"""Every way in which s3control refuses a request about a job, one entry each.

UG is the S3 User Guide, API the s3control API Reference; codes are those that S3 answers with,
which are not always the names of the model's exceptions (`NoSuchJob` is a NotFoundException).
Law: as `model/refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.refusals import refusal

INVALID_REQUEST = refusal(
    "InvalidRequest",
    400,
    "Request invalid",
    "What a request says must have the form of the API (API: CreateJob, BadRequestException)",
)
MALFORMED = refusal(
    "MalformedXML",
    400,
    "The XML you provided was not well-formed or did not validate against our published schema",
    "A body that does not follow the schema is refused (API: CreateJob)",
)
OPERATION_NOT_SUPPORTED = refusal(
    "InvalidRequest",
    400,
    "This sandbox carries out S3ReplicateObject and S3ComputeObjectChecksum, no other operation",
    "A limit of this model, not of S3",
)
CROSS_ACCOUNT_ROLE = refusal(
    "AccessDenied",
    403,
    "Cross-account pass role is not allowed",
    "The role is of the job's account (UG: batch-ops-iam-role-policies)",
)
NO_SUCH_JOB = refusal(
    "NoSuchJob",
    404,
    "The specified job does not exist.",
    "A job is known in its own account and Region, until 90 days after its end "
    "(UG: batch-ops-job-status)",
)
SAME_TOKEN = refusal(
    "IdempotencyException",
    400,
    "The ClientRequestToken was used already with other parameters",
    "A token stands for one request (API: CreateJob)",
)
TOO_MANY_JOBS = refusal(
    "TooManyRequestsException",
    400,
    "Too many jobs that have not ended",
    "S3 limits requests and jobs (API: CreateJob)",
)
TOO_MANY_TAGS = refusal(
    "TooManyTagsException", 400, "A job has up to 50 tags", "(UG: batch-ops-managing-jobs-tags)"
)
WRONG_STATUS = refusal(
    "JobStatusException",
    400,
    "The job's status does not allow this",
    "Ready is for Suspended jobs, Cancelled for those that have not ended "
    "(UG: batch-ops-job-status)",
)
INVALID_NEXT_TOKEN = refusal(
    "InvalidNextTokenException", 400, "The NextToken is not one of ours", "(API: ListJobs)"
)
