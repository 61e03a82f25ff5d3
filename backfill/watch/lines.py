"""One look at live replication as lines for a person.

Never colours, and never decides: every word of judgement is in the picture.
Law: text that comes from AWS is escaped before it is shown.
"""

import json
import textwrap
from collections.abc import Iterator
from typing import Final

from backfill.batch_operations.failure_codes import FailureClass
from backfill.model.escaping import visible_text
from backfill.model.units import counted
from backfill.watch.causes import Cause
from backfill.watch.picture import Picture, QueuePicture
from backfill.watch.verdicts import Verdict

_WIDTH: Final = 96
_VERDICTS: Final = {
    Verdict.KEEPS_UP: "keeps up",
    Verdict.NO_DATA: "no data",
    Verdict.CANNOT_TELL: "cannot tell",
    Verdict.FALLS_BEHIND: "falls behind",
    Verdict.FAILS: "fails",
}
_CLASSES: Final = {
    FailureClass.BENIGN: "nothing is wrong",
    FailureClass.GONE: "gone from the source",
    FailureClass.AGAIN: "passing",
    FailureClass.AFTER_MEND: "can be brought over once this is mended",
    FailureClass.OTHER_ROUTE: "never by Batch Replication, so not in the manifest",
    FailureClass.STATE: "not before the object is changed, so not in the manifest",
    FailureClass.UNKNOWN: "not documented by AWS",
}
_PARITY: Final = (
    "These numbers follow recent live operations and nothing else: zero pending is not proof of"
    " parity. `backfill verify` compares the buckets."
)


def picture_lines(picture: Picture) -> Iterator[str]:
    """Give all of a look."""
    place = f"{picture.source_bucket} ({picture.source_region}, account {picture.source_account})"
    yield f"{place} at {picture.at.isoformat(timespec='seconds')}"
    for rule in picture.rules:
        region = f" ({rule.destination_region})" if rule.destination_region else ""
        yield f"rule {visible_text(rule.rule_id)} to {rule.destination_bucket}{region}"
        yield from _wrapped(f"{_VERDICTS[rule.verdict]}: {visible_text(rule.sentence)}")
    yield from _queue_lines(picture.queues)
    for remark in picture.remarks:
        yield from _wrapped(visible_text(remark), indent="")
    if picture.causes:
        yield f"failed, and not arrived since: {counted(picture.failed_versions)}"
    for cause in picture.causes:
        yield from _cause_lines(cause)
    yield from _manifest_lines(picture)
    yield from _wrapped(_PARITY, indent="")


def _queue_lines(queues: QueuePicture) -> Iterator[str]:
    for arn in queues.arns:
        yield f"events from {visible_text(arn)}"
    if queues.arns:
        more = "; more wait for the next look" if queues.has_more else ""
        messages, new = counted(queues.messages), counted(queues.new_words)
        yield f"  {messages} messages read, with {new} events that were not known{more}"
    for why, number in queues.left.items():
        yield f"  left in the queue: {counted(number)}: {visible_text(why)}"
    for fault in queues.faults:
        yield from _wrapped(visible_text(fault))


def _cause_lines(cause: Cause) -> Iterator[str]:
    code = visible_text(cause.code)
    where = f" to {cause.destination_bucket}" if cause.destination_bucket else ""
    yield f"  {counted(cause.versions)} x {code}{where}: {_CLASSES[cause.failure_class]}"
    yield from _wrapped(cause.sentence, indent="    ")
    if cause.mend:
        yield from _wrapped(f"mend: {cause.mend}", indent="    ")
    if cause.statements:
        yield from _wrapped(
            "all of these must stand there, and no Deny against them; `backfill preflight` finds"
            " which one lacks:",
            indent="    ",
        )
    for each in cause.statements:
        yield from _wrapped(f"in {each.document} (account {each.account_id}):", indent="    ")
        yield f"    {json.dumps(each.statement)}"


def _manifest_lines(picture: Picture) -> Iterator[str]:
    for file in picture.manifest:
        yield f"repair manifest: {file.file}: {counted(file.rows)} rows, ETag {file.etag}"
    if picture.manifest:
        yield from _wrapped(
            "Mend the cause first. Then give the manifest to a Batch Replication job (upload it"
            " with SSE-S3), or do `backfill run` into a new run directory: it finds whatever is"
            " missing and brings it over."
        )


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(
        text,
        width=_WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
