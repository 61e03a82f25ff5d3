"""What S3 says of live replication in a queue's message: event notifications, read with suspicion.

Never decides what became of a version (`ledger` keeps every word, and the newest decides).
Law: total over every message; what cannot be read as a replication event of the bucket that is
watched is remarked upon, and its message is not ours to delete.

Source: S3 User Guide, notification-content-structure and replication-metrics-events; all versions
of the event structure (2.1 to 2.6) have what is read here. A message comes at least once and in any
order.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, NewType
from urllib.parse import unquote_to_bytes

from backfill.model.json_values import json_value
from backfill.model.objects import NULL_VERSION_ID, VersionId

KEY_BYTES_MAX: Final = 1024
WORD_CHARACTERS_MAX: Final = 255
"""Of a rule ID, a failure reason, an operation: S3's own limit for rule IDs."""
ENVELOPES_MAX: Final = 3
"""Envelopes of SNS around a notification; a topic adds one, and nobody chains many."""
RECORDS_MAX: Final = 1000
"""Records of one message. S3 puts one into each; SQS holds 1 MiB, a record takes some 800 bytes."""

Moment = NewType("Moment", str)
"""When an event happened, as text that sorts: its time in UTC, then its sequencer."""


class Word(enum.StrEnum):
    """The four replication events of S3 (S3 API: Event), by the last part of their names."""

    FAILED = "OperationFailedReplication"
    """S3 gave the version up: nothing brings it over by itself."""
    LATE = "OperationMissedThreshold"
    """Under RTC, it did not arrive within 15 minutes; it may still."""
    ARRIVED_LATE = "OperationReplicatedAfterThreshold"
    """Under RTC, it arrived after these 15 minutes."""
    NOT_TRACKED = "OperationNotTracked"
    """The metrics follow it no longer; that says nothing of whether it arrived."""


class Notice(NamedTuple):
    """One event about one version on its way to one destination; a tuple, as there may be many."""

    word: Word
    key: str
    version_id: VersionId
    destination_bucket: str
    moment: Moment
    rule_id: str = ""
    operation: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a message says. `remarks`, fixed words of ours, are about what was not understood."""

    notices: tuple[Notice, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Return whether everything in the message was for us: only then may it be deleted."""
        return not self.remarks


class _UnreadableError(Exception):
    """A message or a record is not what is watched for; the words show nothing of it."""


_NAME: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")
_BUCKET_ARN: Final = re.compile(r"arn:aws[a-z-]*:s3:::([A-Za-z0-9._-]{3,255})")
_VERSION_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,1024}")
_SEQUENCER: Final = re.compile(r"[0-9A-Fa-f]{1,64}")
_WORDS: Final = {word.value: word for word in Word}
_TEST: Final = "s3:TestEvent"


def reading_of(body: str, *, bucket: str) -> Reading:
    """Read a message's body: S3's event JSON, plain or in the envelope of an SNS topic."""
    try:
        document = _document(body)
        if document.get("Event") == _TEST:
            return _read_test(document, bucket)
        records = document.get("Records")
        if not isinstance(records, list) or not 0 < len(records) <= RECORDS_MAX:
            return Reading(remarks=("it is no event notification of S3",))
    except _UnreadableError as error:
        return Reading(remarks=(str(error),))
    notices: list[Notice] = []
    remarks: list[str] = []
    for record in records:
        try:
            notices.append(_notice(record, bucket))
        except _UnreadableError as error:
            remarks.append(str(error))
    # Equal remarks are said once: a message of another bucket may have many records.
    return Reading(notices=tuple(notices), remarks=tuple(dict.fromkeys(remarks)))


def moment_of(at: datetime, sequencer: str = "") -> Moment:
    """Return a moment; `at` is aware.

    The time goes first: a sequencer is documented for PUT and DELETE only. Of two the shorter one
    is filled up with zeros on the right (S3 User Guide), which cutting those off is the same as.
    """
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return Moment(f"{text} {sequencer.upper().rstrip('0')}".rstrip())


def _document(body: str) -> Mapping[str, object]:
    """Return the notification inside its envelopes."""
    for _ in range(ENVELOPES_MAX + 1):
        try:
            document = json_value(body)
        except ValueError:
            raise _UnreadableError("it is no JSON") from None
        if not isinstance(document, dict):
            raise _UnreadableError("it is no event notification of S3")
        # A tuple, and not a set: what a stranger sends need not be hashable.
        if document.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            raise _UnreadableError("SNS asks to confirm a subscription of the queue")
        inner = document.get("Message")
        if document.get("Type") != "Notification" or not isinstance(inner, str):
            return document
        body = inner
    raise _UnreadableError("it has too many envelopes")


def _read_test(document: Mapping[str, object], bucket: str) -> Reading:
    """S3 sends one whenever the notification configuration is put."""
    if document.get("Bucket") == bucket:
        return Reading()
    return Reading(remarks=("it is of another bucket",))


def _notice(record: object, bucket: str) -> Notice:
    event = _members(record, "it is no event record")
    s3 = _members(event.get("s3"), "it is no event record of S3")
    if _members(s3.get("bucket"), "it names no bucket").get("name") != bucket:
        raise _UnreadableError("it is of another bucket")
    word = _WORDS.get(str(event.get("eventName")).removeprefix("s3:").removeprefix("Replication:"))
    if word is None:
        raise _UnreadableError("it is of another kind than replication")
    item = _members(s3.get("object"), "it names no object")
    # Optional here: a failure whose rule is not told is a failure all the same.
    told = event.get("replicationEventData")
    data = told if isinstance(told, dict) else {}
    return Notice(
        word=word,
        key=_key(item.get("key")),
        version_id=_version_id(item.get("versionId")),
        destination_bucket=_destination(data.get("destinationBucket")),
        moment=_moment(event.get("eventTime"), item.get("sequencer")),
        rule_id=_text(data.get("replicationRuleId")),
        operation=_text(data.get("s3Operation")),
        reason=_text(data.get("failureReason")),
    )


def _members(value: object, otherwise: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _UnreadableError(otherwise)
    return value


def _key(value: object) -> str:
    """Return the key, which stands there as in an HTML form: a space as `+`, a plus as `%2B`."""
    if not isinstance(value, str) or not value:
        raise _UnreadableError("it names no key")
    try:
        raw = unquote_to_bytes(value.replace("+", " "))
        key = raw.decode()
    except UnicodeError:
        raise _UnreadableError("its key is no UTF-8") from None
    if len(raw) > KEY_BYTES_MAX:
        raise _UnreadableError("its key is too long for one")
    return key


def _version_id(value: object) -> VersionId:
    """Return the version ID; a replicated bucket is versioned, so none means the null version."""
    if value is None or value == "":
        return NULL_VERSION_ID
    if not isinstance(value, str) or not _VERSION_ID.fullmatch(value):
        raise _UnreadableError("its version ID is none")
    return VersionId(value)


def _destination(value: object) -> str:
    """Return the bucket's name out of its ARN; empty where S3 does not tell it."""
    if not isinstance(value, str):
        return ""
    arn = _BUCKET_ARN.fullmatch(value)
    return arn[1] if arn else value * bool(_NAME.fullmatch(value))


def _moment(at: object, sequencer: object) -> Moment:
    try:
        time = datetime.fromisoformat(str(at))
        given = sequencer if isinstance(sequencer, str) else ""
        return moment_of(
            time if time.tzinfo else time.replace(tzinfo=UTC),
            given if _SEQUENCER.fullmatch(given) else "",
        )
    except (ValueError, OverflowError):
        raise _UnreadableError("its time cannot be read") from None


def _text(value: object) -> str:
    """Return a word of S3's; text that could not be stored as UTF-8 loses only what could not."""
    text = value if isinstance(value, str) else ""
    return text[:WORD_CHARACTERS_MAX].encode(errors="replace").decode()
