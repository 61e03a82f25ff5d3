"""What live replication reports, to one identity: the port Watching on the SDK.

Never takes a missing number for a zero: S3 reports metrics only while something happens.
Law: a message is deleted only by the receipt with which it came.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from backfill.aws.account_calls import (
    mappings_of,
    optional_text,
    queue_url,
    queue_url_call,
    region_of,
    text_of,
)
from backfill.aws.calls import Call, Calls
from backfill.aws.faults import store_fault
from backfill.aws.replies import Reply, ReplyError
from backfill.aws.retry import ReadRetries
from backfill.errors import ListingStuckError
from backfill.model.accounts import Datapoint, MetricQuery, QueueMessage

METRIC_PAGES_MAX: Final = 100
"""CloudWatch gives up to 100,800 values a page; a year of minutes is 525,600."""

MESSAGES_MAX: Final = 10
"""Of one receive, and of one delete (SQS API: ReceiveMessage, DeleteMessageBatch)."""

WAIT_S_MAX: Final = 20
"""The longest long poll (SQS API: ReceiveMessage)."""

T = TypeVar("T")


class AwsWatching:
    """Watching over the calls of one identity."""

    def __init__(self, calls: Calls, retries: ReadRetries) -> None:
        self._calls = calls
        self._retries = retries
        # Bounded by the queues of one setup; a queue's URL never changes.
        self._urls: dict[str, str] = {}

    async def metric(
        self, query: MetricQuery, *, start: datetime, end: datetime
    ) -> Sequence[Datapoint]:
        """Return a metric's values, oldest first; none is normal (S3 reports only activity)."""
        points: list[Datapoint] = []
        token = ""
        for _ in range(METRIC_PAGES_MAX):
            parameters = _metric_parameters(query, start=start, end=end)
            if token:
                parameters["NextToken"] = token
            call = Call("GetMetricData", query.region, parameters, service="cloudwatch")
            page = await self._ask(call, lambda reply: reply)
            for result in mappings_of(page, "MetricDataResults"):
                points.extend(_datapoints(result))
            token = optional_text(page, "NextToken")
            if not token:
                return sorted(points, key=lambda point: point.at)
        raise ListingStuckError(f"GetMetricData has no end after {METRIC_PAGES_MAX} pages")

    async def receive(self, queue_arn: str, *, wait_s: int) -> Sequence[QueueMessage]:
        """Return up to ten messages, waiting so long for the first, 20 s at most."""
        parameters = {
            "QueueUrl": await self._url(queue_arn),
            "MaxNumberOfMessages": MESSAGES_MAX,
            "WaitTimeSeconds": min(wait_s, WAIT_S_MAX),
        }
        call = Call("ReceiveMessage", region_of(queue_arn, ""), parameters, service="sqs")
        return await self._ask(call, _messages)

    async def delete(self, queue_arn: str, messages: Sequence[QueueMessage]) -> None:
        """Delete messages that were dealt with.

        Raises:
            StoreFault: SQS kept one of them: it will come again.
        """
        url = await self._url(queue_arn)
        for first in range(0, len(messages), MESSAGES_MAX):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt}
                for number, message in enumerate(messages[first : first + MESSAGES_MAX])
            ]
            parameters = {"QueueUrl": url, "Entries": entries}
            call = Call("DeleteMessageBatch", region_of(queue_arn, ""), parameters, service="sqs")
            failed = await self._calls.send(call, lambda reply: mappings_of(reply, "Failed"))
            if failed:
                raise store_fault(
                    operation="DeleteMessageBatch",
                    code=optional_text(failed[0], "Code") or "Unknown",
                    status=200,
                    bucket="",
                    message=optional_text(failed[0], "Message"),
                )

    async def _url(self, queue_arn: str) -> str:
        if queue_arn not in self._urls:
            self._urls[queue_arn] = await self._ask(queue_url_call(queue_arn), queue_url)
        return self._urls[queue_arn]

    async def _ask(self, call: Call, parse: Callable[[Reply], T]) -> T:
        return await self._retries.ask(lambda: self._calls.send(call, parse))


def _metric_parameters(query: MetricQuery, *, start: datetime, end: datetime) -> dict[str, object]:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions]
    metric = {"Namespace": "AWS/S3", "MetricName": query.name, "Dimensions": dimensions}
    asked = {"Metric": metric, "Period": query.period_s, "Stat": query.statistic}
    return {
        "MetricDataQueries": [{"Id": "asked", "MetricStat": asked, "ReturnData": True}],
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }


def _datapoints(result: Reply) -> list[Datapoint]:
    times, values = result.get("Timestamps"), result.get("Values")
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        raise ReplyError("GetMetricData with times and values that do not pair")
    return [
        Datapoint(at=_aware(at), value=float(value))
        for at, value in zip(times, values, strict=True)
    ]


def _aware(at: object) -> datetime:
    if not isinstance(at, datetime):
        raise ReplyError(f"GetMetricData with the time {at!r}")
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _messages(reply: Reply) -> Sequence[QueueMessage]:
    return [
        QueueMessage(body=optional_text(message, "Body"), receipt=text_of(message, "ReceiptHandle"))
        for message in mappings_of(reply, "Messages")
    ]
