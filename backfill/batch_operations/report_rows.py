"""Rows of a job's completion report: what each task says of its object version.

Never believes the declared ReportSchema: S3 writes the HTTP status before the error code, so both
are told apart by what they hold (S3 User Guide: batch-ops-examples-reports).
Law: any bytes become rows or a ReportRefusedError that names file and row.
"""

import base64
import binascii
import codecs
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import Final, NamedTuple

from backfill.errors import ReportRefusedError
from backfill.manifest.csv_format import decoded_key
from backfill.model.escaping import visible_text
from backfill.model.json_values import json_value
from backfill.model.objects import ETag
from backfill.model.redaction import redacted

COLUMNS: Final = 7
LINE_CHARS_MAX: Final = 1024 * 1024
"""Of one line: a row has a key of at most 1,024 bytes and a message of some hundred characters. The
csv module itself refuses a field of more than 131,072."""
EMPTY_VERSION_ID: Final = r"\N"
"""What a report shows where the manifest's field was empty; the null version is `null`."""
HINT: Final = (
    "nothing of this report was counted; run the same command again, and if it stays so, look at"
    " the report's files: the job itself is not touched"
)

_STATUS: Final = {True: "succeeded", False: "failed"}


class TaskRow(NamedTuple):
    """One task of a job; a tuple, because a frozen dataclass takes six times as long to make.

    `version_id` is None where the manifest named none, which is not `null`. `code` is the report's
    own and may be empty: `failure_codes.failure_of` then looks for one in `message`.
    """

    key: str
    version_id: str | None
    is_succeeded: bool
    http_status: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedChecksum:
    """What a Compute checksum task found. `value` is base64; `etag` is None where none is told."""

    algorithm: str
    value: str
    type: str
    etag: ETag | None


def task_rows(
    chunks: Iterable[bytes], *, file: str, expected_bucket: str, is_succeeded: bool
) -> Iterator[TaskRow]:
    """Stream the rows of one result file, given in pieces of any size.

    `is_succeeded` is the file's TaskExecutionStatus, which every row must have.

    Raises:
        ReportRefusedError: the file is no such result file, from some row on.
    """
    status = _STATUS[is_succeeded]
    number = 0
    try:
        # A quoted message may hold line feeds, so rows are counted, not lines; strict, because a
        # lenient reader makes something of every broken quote.
        for fields in csv.reader(_lines(chunks), strict=True):
            number += 1
            if fields:  # an empty line is no row; a row that is missing shows in the totals
                yield _task_row(fields, expected_bucket, status)
    except UnicodeDecodeError:
        raise _refused(file, number + 1, "holds bytes that are no UTF-8") from None
    except csv.Error as fault:
        raise _refused(file, number + 1, f"is no CSV: {fault}") from fault
    except ValueError as fault:
        raise _refused(file, number, str(fault)) from fault


def _refused(file: str, number: int, what: str) -> ReportRefusedError:
    return ReportRefusedError(
        f"completion report {visible_text(file)}, row {number}: {what}", hint=HINT
    )


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    pending = ""
    for chunk in chunks:
        whole, newline, rest = decoder.decode(chunk).rpartition("\n")
        if newline:
            # StringIO splits at line feeds only and keeps them; str.splitlines does neither.
            yield from StringIO(f"{pending}{whole}\n", newline="\n")
            pending = rest
        else:
            pending += rest
        if len(pending) > LINE_CHARS_MAX:
            raise csv.Error(f"a line has more than {LINE_CHARS_MAX} characters")
    decoder.decode(b"", final=True)
    if pending:
        yield pending


def _task_row(fields: list[str], expected_bucket: str, expected_status: str) -> TaskRow:
    if len(fields) != COLUMNS:
        raise ValueError(f"has {len(fields)} columns instead of {COLUMNS}")
    bucket, key, version_id, status, fifth, sixth, message = fields
    if bucket != expected_bucket:
        raise ValueError(f"is about bucket {visible_text(bucket)} instead of {expected_bucket}")
    if status != expected_status:
        raise ValueError(
            f"has the status {visible_text(status)!r} in a file of {expected_status} tasks"
        )
    if not key:
        raise ValueError("has no key")
    http_status, code = _status_and_code(fifth, sixth)
    is_told = version_id and version_id != EMPTY_VERSION_ID
    return TaskRow(  # by position: a third faster, once a row
        decoded_key(key) if "%" in key else key,
        version_id if is_told else None,
        expected_status == _STATUS[True],
        http_status,
        code,
        # A checksum looks like a key of SSE-C; only what failed is shown to anybody.
        message if expected_status == _STATUS[True] else _kept(message),
    )


@lru_cache(maxsize=256)  # as below
def _kept(message: str) -> str:
    return redacted(message)


@lru_cache(maxsize=256)  # a report of millions of rows has a handful of pairs
def _status_and_code(fifth: str, sixth: str) -> tuple[int | None, str]:
    if _is_http_status(fifth):
        return int(fifth), sixth
    if _is_http_status(sixth):
        return int(sixth), fifth
    if fifth and sixth:
        raise ValueError("has no HTTP status in column 5 or 6")
    return None, fifth or sixth


def _is_http_status(field: str) -> bool:
    return len(field) == 3 and field.isascii() and field.isdigit()


def checksum_of(message: str) -> ReportedChecksum | None:
    """Return what a Compute checksum task reports in its ResultMessage; None where it is none.

    Names are matched without regard to case, because S3 writes both `etag` and `ETag` (S3 User
    Guide: batch-ops-compute-checksums). Where base64 and hex are given and differ, neither counts.
    """
    try:
        document: object = json_value(message)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    words = {name.lower(): text for name, text in document.items() if isinstance(text, str)}
    value = _checksum_value(words.get("checksum_base64", ""), words.get("checksum_hex", ""))
    algorithm, kind = words.get("checksumalgorithm", ""), words.get("checksumtype", "")
    if value is None or not algorithm or not kind:
        return None
    etag = words.get("etag", "").strip('"')
    return ReportedChecksum(
        algorithm=algorithm.upper(),
        value=value,
        type=kind.upper(),
        etag=ETag(etag) if etag else None,
    )


def _checksum_value(in_base64: str, in_hex: str) -> str | None:
    try:
        told = {base64.b64decode(in_base64, validate=True), bytes.fromhex(in_hex)} - {b""}
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(told.pop()).decode() if len(told) == 1 else None
