"""Every way in which S3 refuses a notification configuration, one entry each.

UG is the S3 User Guide, API the S3 API Reference.
Law: as `model/refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.refusals import refusal

NOT_VALIDATED = refusal(
    "InvalidArgument",
    400,
    "Unable to validate the following destination configurations",
    "Every destination is there, in the bucket's Region, and lets S3 publish; one that does not"
    " refuses the whole configuration (UG: notification-how-to-event-types-and-destinations)",
)
NO_ARN = refusal(
    "InvalidArgument",
    400,
    "The ARN is not well formed",
    "A destination is the ARN of an SNS topic, an SQS queue or a Lambda function, each in its own"
    " element (API: NotificationConfiguration)",
)
WRONG_REGION = refusal(
    "InvalidArgument",
    400,
    "The notification destination service region is not valid for the bucket location constraint",
    "Destinations are in the bucket's Region (UG: EventNotifications)",
)
FIFO = refusal(
    "InvalidArgument",
    400,
    "SQS FIFO queues and SNS FIFO topics are not supported",
    "Only standard queues and topics (UG: notification-how-to-event-types-and-destinations)",
)
UNKNOWN_EVENT = refusal(
    "InvalidArgument",
    400,
    "The event is not supported for notifications",
    "Events are those of the table (UG: notification-how-to-event-types-and-destinations)",
)
BAD_FILTER = refusal(
    "InvalidArgument",
    400,
    "filter rule name must be either prefix or suffix",
    "Keys are filtered by one prefix and one suffix (UG: notification-how-to-filtering)",
)
FILTER_TWICE = refusal(
    "InvalidArgument",
    400,
    "Cannot specify more than one prefix rule or suffix rule in a filter.",
    "Keys are filtered by one prefix and one suffix (UG: notification-how-to-filtering)",
)
SAME_ID = refusal(
    "InvalidArgument",
    400,
    "Same ID used for multiple configurations. IDs must be unique",
    "IDs are unique (API: NotificationConfiguration)",
)
OVERLAP = refusal(
    "InvalidArgument",
    400,
    "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
    "Two configurations for one event type have filters that no key passes both"
    " (UG: notification-how-to-filtering)",
)
TOO_MANY = refusal(
    "TooManyConfigurations",
    400,
    "You are attempting to create a new configuration but have already reached the limit of 100.",
    "At most 100 configurations a bucket (UG: EventNotifications)",
)
