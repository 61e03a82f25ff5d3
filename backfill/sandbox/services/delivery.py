"""Events of S3 on their way: to which queue, topic or function, and may they arrive?

Never invents an event: S3's model makes their bodies. One law: nothing arrives where the target's
policy does not let S3 in for that bucket and its owner (S3 User Guide:
grant-destinations-permissions-to-s3).
"""

import json
from dataclasses import dataclass

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.world import World
from backfill.sandbox.services.functions import Functions
from backfill.sandbox.services.publishing import S3, Publication
from backfill.sandbox.services.sns import Sns
from backfill.sandbox.services.sqs import Sqs


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The targets of events."""

    world: World
    sqs: Sqs
    sns: Sns
    functions: Functions

    def flaw(self, arn: str, bucket_name: str) -> str | None:
        """Why S3 would not take the target for this bucket, in its words; None if it would."""
        bucket = self.world.buckets[bucket_name]
        pieces = arn.split(":")
        if len(pieces) < 6 or pieces[2] not in {"sqs", "sns", "lambda"}:
            return "The ARN is not well formed"
        if pieces[3] != bucket.region:
            return "The notification destination service region is not valid for the bucket"
        if pieces[2] == "lambda":
            return self._flaw_of_function(arn, _of(bucket))
        return self._flaw_of_mailbox(arn, _of(bucket))

    def _flaw_of_function(self, arn: str, publication: Publication) -> str | None:
        function = self.functions.functions.get(arn)
        may = function is not None and self.functions.may_invoke(function, publication)
        return None if may else f"Not authorized to invoke function [{arn}]"

    def _flaw_of_mailbox(self, arn: str, publication: Publication) -> str | None:
        queue, topic = self.sqs.queues.get(arn), self.sns.topics.get(arn)
        name = "queue" if ":sqs:" in arn else "topic"
        if queue is None and topic is None:
            return f"The destination {name} does not exist"
        may_queue = queue is not None and self.sqs.may_publish(queue, publication)
        if may_queue or (topic is not None and self.sns.may_publish(topic, publication)):
            return None
        return (
            f"Permissions on the destination {name} do not allow S3 to publish notifications from "
            "this bucket"
        )

    def deliver(self, arn: str, body: str) -> None:
        """Hand an event over, if the target still lets S3 in; else it is lost, as on AWS."""
        bucket = self.world.buckets.get(_bucket_in(body))
        if bucket is None or self.flaw(arn, bucket.name) is not None:
            return
        now = self.world.clock()
        if (topic := self.sns.topics.get(arn)) is not None:
            self.sns.hand_out(topic, body, now, "Amazon S3 Notification")
        elif (function := self.functions.functions.get(arn)) is not None:
            function.invocations.append(body)
        else:
            self.send_to_queue(arn, body, _of(bucket))

    def send_to_queue(self, arn: str, body: str, publication: Publication) -> None:
        """Put a body into a queue that lets the publication in."""
        queue = self.sqs.queues.get(arn)
        if queue is not None and self.sqs.may_publish(queue, publication):
            queue.send(body, publication.service, self.world.clock())


def _of(bucket: Bucket) -> Publication:
    return Publication(service=S3, source_arn=bucket.arn, source_account=bucket.owner_id)


def _bucket_in(body: str) -> str:
    """The bucket that an event is about: of its first record, or of the test event."""
    event = json.loads(body)
    records = event.get("Records")
    return str(records[0]["s3"]["bucket"]["name"] if records else event.get("Bucket", ""))
