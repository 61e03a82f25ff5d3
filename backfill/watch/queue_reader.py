"""Reads a queue of replication events: what it says goes to disk, then the message may go.

Never deletes a message that is not wholly ours, and never one before its words are durable: a
process that dies in between reads it again, and the ledger knows it.
Law: a queue that never runs empty ends a look all the same, after `MESSAGES_MAX` messages.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from backfill.errors import StoreFault
from backfill.model.accounts import QueueMessage
from backfill.ports.accounts import Watching
from backfill.watch.ledger import Ledger
from backfill.watch.ledger_words import UnreadMessage
from backfill.watch.notices import Notice, Reading, reading_of

WAIT_S: Final = 1
"""Of a long poll: any at all asks every server of SQS, so that an empty answer means empty."""
BATCH: Final = 10
"""Messages of one receive, at most (SQS API: ReceiveMessage)."""
READERS_MAX: Final = 8
"""Receives in flight while there is a backlog; what they bring is made durable at once. They take
far less than the 30 s after which SQS gives a message to another reader."""
MESSAGES_MAX: Final = 100_000
"""Of one look."""
FRUITLESS_MAX: Final = 10
"""Receives in a row that bring only what is known and not ours to delete: it has come round."""


# Not frozen: it counts while a queue is read.
@dataclass(slots=True, kw_only=True)
class Drained:
    """What reading a queue came to. `left`: messages that stay in it, by why."""

    messages: int = 0
    new_words: int = 0
    left: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    has_more: bool = False


class QueueReader:
    """Reads the queues of one source bucket into its ledger."""

    def __init__(self, *, bucket: str, watching: Watching, ledger: Ledger) -> None:
        self._bucket = bucket
        self._watching = watching
        self._ledger = ledger

    async def drain(self, arn: str) -> Drained:
        """Read a queue until it is empty, or the look has had enough."""
        drained = Drained()
        readers, fruitless = 1, 0
        while drained.messages < MESSAGES_MAX:
            try:
                received = await self._receive(arn, readers)
            except StoreFault as fault:
                drained.faults.append(_unread(arn, fault))
                return drained
            if not received:
                return drained
            is_fruitful = await self._take(arn, received, drained)
            fruitless = 0 if is_fruitful else fruitless + 1
            if fruitless >= FRUITLESS_MAX:
                return drained
            readers = READERS_MAX if len(received) >= readers * BATCH else 1
        drained.has_more = True
        return drained

    async def _receive(self, arn: str, readers: int) -> Sequence[QueueMessage]:
        if readers == 1:
            return await self._watching.receive(arn, wait_s=WAIT_S)
        receives = (self._watching.receive(arn, wait_s=WAIT_S) for _ in range(readers))
        # All are waited for before one's fault is raised: what came with others comes again.
        answers = await asyncio.gather(*receives, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [m for answer in answers if not isinstance(answer, BaseException) for m in answer]

    async def _take(self, arn: str, received: Sequence[QueueMessage], drained: Drained) -> bool:
        """Note what messages say, then delete those that are ours; return whether that led on."""
        readings = [reading_of(message.body, bucket=self._bucket) for message in received]
        notices: list[Notice] = [notice for reading in readings for notice in reading.notices]
        unread = [
            UnreadMessage(message.body, reading.remarks[0])
            for message, reading in zip(received, readings, strict=True)
            if not reading.is_ours
        ]
        noted = self._ledger.note(notices, unread)
        drained.messages += len(received)
        drained.new_words += noted.words
        drained.left.update(message.remark for message in unread)
        deleted = await self._delete(arn, received, readings, drained)
        return deleted or bool(noted.words) or bool(noted.unread)

    async def _delete(
        self,
        arn: str,
        received: Sequence[QueueMessage],
        readings: Sequence[Reading],
        drained: Drained,
    ) -> bool:
        ours = [m for m, reading in zip(received, readings, strict=True) if reading.is_ours]
        if not ours:
            return False
        try:
            await self._watching.delete(arn, ours)
        except StoreFault as fault:
            # They come again and are known then: nothing is lost, and nothing counted twice.
            drained.left[f"they could not be deleted: {fault.code}"] += len(ours)
            return False
        return True


def _unread(arn: str, fault: StoreFault) -> str:
    return (
        f"{arn} could not be read: {fault.operation}: {fault.code}; this identity needs"
        " sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueUrl there, and kms:Decrypt on the"
        " queue's key if it has one"
    )
