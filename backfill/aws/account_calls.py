"""What the adapters of an account's control plane share: where each service is asked, what is none.

Never sends. Law: a Region comes from the ARN of what is asked about, and for IAM, which has one in
each partition, from the partition.
"""

import json
from collections.abc import Mapping
from typing import Final

from backfill.aws.calls import Call
from backfill.aws.replies import Reply, ReplyError
from backfill.model.json_values import json_value

IAM_PAGES_MAX: Final = 100
"""Of policies of a role, and of simulated results: IAM's quotas allow far fewer of either."""

_IAM_REGIONS: Final = {
    "cn-": "cn-north-1",
    "us-gov-": "us-gov-west-1",
    "us-iso-": "us-iso-east-1",
    "us-isob-": "us-isob-east-1",
    "eusc-": "eusc-de-east-1",
}
"""Where IAM of each partition but `aws` is (AWS General Reference: IAM endpoints)."""

NO_ENTITY: Final = frozenset({"NoSuchEntity", "NoSuchEntityException"})
NO_KEY: Final = frozenset({"NotFoundException"})
NO_RECEIVER: Final = frozenset(
    {
        *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
        *("NotFound", "NotFoundException", "ResourceNotFoundException"),
    }
)
"""SQS says it in two ways, by the protocol of the client; SNS and Lambda in others."""


def iam_region(region: str) -> str:
    """Return the Region in which IAM of a Region's partition signs."""
    for prefix, home in _IAM_REGIONS.items():
        if region.startswith(prefix):
            return home
    return "us-east-1"


def region_of(arn: str, otherwise: str) -> str:
    """Return the Region that an ARN names; `otherwise` for one without, such as a bare key ID."""
    parts = arn.split(":")
    return parts[3] if len(parts) > 5 and parts[3] else otherwise


def iam_call(operation: str, region: str, parameters: Mapping[str, object]) -> Call:
    """Return a call of IAM; `region` is any of the partition's."""
    return Call(
        operation=operation, region=iam_region(region), parameters=parameters, service="iam"
    )


def queue_url_call(arn: str) -> Call:
    """Return the call that asks for a queue's URL; the ARN holds its account and name."""
    _, _, _, region, account_id, name = arn.split(":", 5)
    return Call(
        operation="GetQueueUrl",
        region=region,
        parameters={"QueueName": name, "QueueOwnerAWSAccountId": account_id},
        service="sqs",
    )


def queue_url(reply: Reply) -> str:
    """Parse GetQueueUrl."""
    return text_of(reply, "QueueUrl")


def nothing(_: Reply) -> None:
    """Take an answer that says nothing but that it was done."""


def text_of(container: Mapping[str, object], name: str) -> str:
    """Return a text that an answer must have."""
    value = container.get(name)
    if not isinstance(value, str) or not value:
        raise ReplyError(f"an answer without {name}")
    return value


def optional_text(container: Mapping[str, object], name: str) -> str:
    """Return a text that an answer may lack."""
    value = container.get(name)
    return value if isinstance(value, str) else ""


def mapping_of(container: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a structure of an answer; an empty one where it lacks it."""
    value = container.get(name)
    return value if isinstance(value, Mapping) else {}


def mappings_of(container: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """Return the structures of a list of an answer."""
    value = container.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def texts_of(container: Mapping[str, object], name: str) -> list[str]:
    """Return the texts of a list of an answer."""
    value = container.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def policy_text(value: object) -> str:
    """Return a policy of IAM as JSON text: the SDK decodes it."""
    if isinstance(value, str) and value:
        # What the SDK could not decode it hands on as it came.
        try:
            value = json_value(value)
        except ValueError as error:
            raise ReplyError(f"a policy that is no JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise ReplyError("an answer without its policy document")
    return json.dumps(value)
