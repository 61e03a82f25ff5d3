"""Typed events as lines: who reads them can trust each line, and a machine can parse it."""

import io
import json
import logging
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from backfill.events.copying import EntryFailed, EntryRetried
from backfill.events.runs import BucketListed
from backfill.model.escaping import original_text
from backfill.observe import LogFormat, LogLevel, LogOptions, open_events
from backfill.ports import ProgressCounts

HOSTILE = "a b\n2026-11-22 error forged\x1b[2J\u202e=\"'\\"


class SettableClock:
    """A clock that moves when the test says so."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC) + timedelta(seconds=self.elapsed_s)

    def monotonic_s(self) -> float:
        return 1000.0 + self.elapsed_s

    async def sleep(self, duration_s: float) -> None:
        self.elapsed_s += duration_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        del text
        raise BrokenPipeError


FAILED = EntryFailed(number=7, key=HOSTILE, code="AccessDenied", detail="")
RETRIED = EntryRetried(number=7, key="k", operation="CopyObject", code="SlowDown", attempt=2)


def lines_of(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_hold_the_event_and_the_exact_key() -> None:
    """If this fails, a log shipper cannot find the version that a line speaks of."""
    stream = io.StringIO()
    with open_events(LogOptions(), run_id="r-1", clock=SettableClock(), stream=stream) as events:
        events.emit(FAILED)
    assert stream.getvalue().isascii()
    assert lines_of(stream) == [
        {
            "timestamp": "2026-11-22T12:00:00.000+00:00",
            "level": "warning",
            "event": "execute.failed",
            "run_id": "r-1",
            "number": 7,
            "key": HOSTILE,
            "code": "AccessDenied",
            "detail": "",
        }
    ]


def test_a_console_line_is_one_line_and_its_key_can_be_read_back() -> None:
    """If this fails, a key forges log lines or drives the terminal of who watches."""
    stream = io.StringIO()
    options = LogOptions(format=LogFormat.CONSOLE)
    with open_events(options, run_id="r-1", clock=SettableClock(), stream=stream) as events:
        events.emit(FAILED)
    line = stream.getvalue().removesuffix("\n")
    assert line.isprintable()
    start, end = 'warning execute.failed number=7 key="', '" code=AccessDenied detail=""'
    assert line.startswith(f"12:00:00 {start}")
    assert line.endswith(end)
    assert original_text(line[len(f"12:00:00 {start}") : -len(end)]) == HOSTILE


@pytest.mark.parametrize(
    ("level", "names"),
    [
        (LogLevel.DEBUG, ["execute.retried", "execute.failed"]),
        (LogLevel.INFO, ["execute.failed"]),
        (LogLevel.WARNING, ["execute.failed"]),
        (LogLevel.ERROR, []),
    ],
)
def test_the_level_decides_what_is_written(level: LogLevel, names: list[str]) -> None:
    """If this fails, --log-level hides warnings or floods a log with every retry."""
    stream = io.StringIO()
    options = LogOptions(level=level)
    with open_events(options, run_id="r-1", clock=SettableClock(), stream=stream) as events:
        events.emit(RETRIED)
        events.emit(FAILED)
    assert [line["event"] for line in lines_of(stream)] == names


@pytest.mark.parametrize(
    ("log_format", "is_terminal", "is_json"),
    [
        (LogFormat.AUTO, True, False),
        (LogFormat.AUTO, False, True),
        (LogFormat.JSON, True, True),
        (LogFormat.CONSOLE, False, False),
    ],
)
def test_auto_means_a_person_on_a_terminal_and_json_elsewhere(
    log_format: LogFormat, *, is_terminal: bool, is_json: bool
) -> None:
    """If this fails, a log collector is given lines for people, or a person JSON."""
    stream = Terminal() if is_terminal else io.StringIO()
    options = LogOptions(format=log_format)
    with open_events(options, run_id="r-1", clock=SettableClock(), stream=stream) as events:
        events.emit(FAILED)
    assert stream.getvalue().startswith("{") is is_json


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_is_for_terminals_and_can_be_refused(
    no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, NO_COLOR is ignored and escapes end in files."""
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    with open_events(LogOptions(), run_id="r-1", clock=SettableClock(), stream=stream) as events:
        events.emit(FAILED)
    assert ("\x1b[" in stream.getvalue()) is (no_color == "")


def test_a_gone_reader_stops_nothing() -> None:
    """If this fails, `backfill run 2>&1 | head` ends a run that was copying well."""
    with open_events(LogOptions(), run_id="r", clock=SettableClock(), stream=Gone()) as events:
        events.emit(FAILED)
        events.progress(ProgressCounts(stage="execute", done=1))


def test_libraries_are_heard_from_warning_on_and_only_while_open() -> None:
    """If this fails, botocore's debug log prints signatures, or its warnings are lost."""
    logger = logging.getLogger("botocore.auth")
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    stream = io.StringIO()
    try:
        with open_events(LogOptions(), run_id="r", clock=SettableClock(), stream=stream):
            assert logger.getEffectiveLevel() == logging.WARNING
            logger.debug("CanonicalRequest ...")
            logger.warning("clock %s", "skewed")
        assert logger.getEffectiveLevel() == logging.DEBUG
    finally:
        logging.getLogger("botocore").setLevel(logging.NOTSET)
    (line,) = lines_of(stream)
    assert (line["event"], line["logger"], line["message"]) == (
        "library.message",
        "botocore.auth",
        "clock skewed",
    )


def test_python_warnings_do_not_bypass_the_log() -> None:
    """If this fails, a DeprecationWarning of a library writes to stderr past redaction."""
    stream = io.StringIO()
    with (
        warnings.catch_warnings(),
        open_events(LogOptions(), run_id="r", clock=SettableClock(), stream=stream),
    ):
        warnings.simplefilter("always")
        warnings.warn("old", UserWarning, stacklevel=1)
    (line,) = lines_of(stream)
    assert line["logger"] == "py.warnings"


def test_progress_off_a_terminal_is_one_event_an_interval_and_the_last_totals() -> None:
    """If this fails, a collected log is flooded, or never says how a stage ended."""
    clock, stream = SettableClock(), io.StringIO()
    options = LogOptions(progress_interval_s=10.0)
    with open_events(options, run_id="r", clock=clock, stream=stream) as events:
        for second in range(26):
            clock.elapsed_s = float(second)
            events.progress(ProgressCounts(stage="inventory", done=second * 100))
        events.progress(ProgressCounts(stage="execute", done=0, total=50, errors={"SlowDown": 3}))
    assert [(line["event"], line["done"]) for line in lines_of(stream)] == [
        ("inventory.progress", 1000),
        ("inventory.progress", 2000),
        ("inventory.progress", 2500),
        ("execute.progress", 0),
    ]
    assert lines_of(stream)[1]["rate_per_s"] == 100.0
    assert lines_of(stream)[-1]["errors"] == {"SlowDown": 3}


def test_progress_is_silent_when_only_warnings_are_asked_for() -> None:
    """If this fails, --log-level warning is not quiet."""
    for stream in (io.StringIO(), Terminal()):
        options = LogOptions(level=LogLevel.WARNING)
        with open_events(options, run_id="r", clock=SettableClock(), stream=stream) as events:
            events.progress(ProgressCounts(stage="execute", done=5))
        assert stream.getvalue() == ""


def test_a_terminal_shows_progress_below_the_log_lines() -> None:
    """If this fails, log lines and the progress line overwrite each other."""
    clock, stream = SettableClock(), Terminal()
    with open_events(LogOptions(), run_id="r", clock=clock, stream=stream) as events:
        for _ in range(3):
            clock.elapsed_s += 1
            events.progress(ProgressCounts(stage="execute", done=10, total=1000))
        events.emit(BucketListed(bucket="b", versions=1, delete_markers=0, pages=1))
        clock.elapsed_s += 1
        events.progress(ProgressCounts(stage="execute", done=40, total=1000))
    shown = stream.getvalue()
    assert "inventory.bucket_listed bucket=b versions=1 delete_markers=0 pages=1" in shown
    assert "40 of 1,000 · 10/s · 1 min 36 s left" in shown
    assert shown.endswith("\x1b[?25h"), "the cursor is given back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """An event with a value that JSON has no word for."""

    name: ClassVar[str] = "test.odd"
    level: ClassVar[str] = "error"
    moment: datetime
    nothing: None = None


def test_a_value_that_json_does_not_know_becomes_text() -> None:
    """If this fails, an unusual field ends the run in the middle of its log."""
    stream = io.StringIO()
    with open_events(LogOptions(), run_id="r", clock=SettableClock(), stream=stream) as events:
        events.emit(Odd(moment=datetime(2026, 1, 2, tzinfo=UTC)))
    assert lines_of(stream)[0]["moment"] == "2026-01-02 00:00:00+00:00"
    assert lines_of(stream)[0]["nothing"] is None


def test_progress_is_repeated_where_an_interval_brought_none() -> None:
    """If this fails, the log of a run that waits for a job looks like that of a dead one."""
    stream, clock = io.StringIO(), SettableClock()
    with open_events(LogOptions(), run_id="r-1", clock=clock, stream=stream) as events:
        events.repeat_progress()
        assert not lines_of(stream), "no interval has gone by"
        clock.elapsed_s = 10.0
        events.repeat_progress()
        events.repeat_progress()
        events.progress(ProgressCounts(stage="execute", done=3, total=9))
        clock.elapsed_s = 20.0
        events.repeat_progress()
        clock.elapsed_s = 30.0
        events.repeat_progress()
    told = [(line["event"], line["done"], line["elapsed_s"]) for line in lines_of(stream)]
    assert told == [
        ("run.progress", 0, 10.0),
        ("execute.progress", 3, 10.0),
        ("execute.progress", 3, 20.0),
    ]


def test_no_progress_is_repeated_on_a_terminal_or_where_nobody_wants_any() -> None:
    """If this fails, a quiet log is not quiet, or a terminal's line scrolls away."""
    clock = SettableClock()
    for stream, options in (
        (Terminal(), LogOptions()),
        (io.StringIO(), LogOptions(level=LogLevel.WARNING)),
    ):
        clock.elapsed_s = 0.0
        with open_events(options, run_id="r-1", clock=clock, stream=stream) as events:
            clock.elapsed_s = 1_000.0
            events.repeat_progress()
        assert stream.getvalue() == ""
