"""The Events port on structlog: one bound logger, one chain of processors, one stream.

Never touches stdout, global logging settings or a file; the chain is built for one run.
Law: redaction sees every field before anything is escaped or rendered, since escapes would hide
a secret's edges; what libraries log passes through the same chain.
"""

import contextlib
import dataclasses
import enum
import json
import os
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import TextIO

import structlog

from backfill.model.redaction import redacted_fields
from backfill.observe.console import ConsoleLine
from backfill.observe.library_logs import library_logs
from backfill.observe.progress import ProgressMeter, ProgressView
from backfill.observe.screen import REDRAW_GAP_S, LineStream, Terminal
from backfill.ports import Clock, Event, ProgressCounts
from backfill.settings import Settings


class LogLevel(enum.StrEnum):
    """From which level on events are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level as structlog counts it."""
        return {"debug": 10, "info": 20, "warning": 30, "error": 40}[self.value]


class LogFormat(enum.StrEnum):
    """How events are written. AUTO: for a person on a terminal, JSON lines elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What `--log-level` and `--log-format` say. INFO tells the story without every entry."""

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO
    progress_interval_s: float = Settings().progress_interval_s


class StructuredEvents:
    """Events as log lines, and progress as a moving line or as events at intervals."""

    def __init__(self, options: LogOptions, *, run_id: str, clock: Clock, stream: TextIO) -> None:
        is_terminal = _is_terminal(stream)
        is_console = options.format is LogFormat.CONSOLE or (
            options.format is LogFormat.AUTO and is_terminal
        )
        self._clock = clock
        self._terminal = Terminal(stream) if is_terminal and is_console else None
        self._gap_s = REDRAW_GAP_S if self._terminal else options.progress_interval_s
        self._shows_progress = options.level.number <= LogLevel.INFO.number
        self._stage = ""
        self._meter = ProgressMeter(started_s=clock.monotonic_s())
        self._shown_s = clock.monotonic_s()
        self._counts: ProgressCounts | None = None
        self._waiting: ProgressView | None = None
        self.told = 0
        """Events and totals taken so far: a sign that somebody works."""
        has_colour = is_terminal and not os.environ.get("NO_COLOR")
        self._log = structlog.wrap_logger(
            _Lines(self._terminal or LineStream(stream)),
            wrapper_class=structlog.make_filtering_bound_logger(options.level.number),
            processors=[
                structlog.processors.add_log_level,
                self._stamped,
                _redacted,
                ConsoleLine(has_colour=has_colour) if is_console else _json_line,
            ],
        ).bind(run_id=run_id)

    def belong_to(self, run_id: str) -> None:
        """Bind the run ID from now on: a new run learns its own only after it has begun."""
        self._log = self._log.bind(run_id=run_id)

    def emit(self, event: Event) -> None:
        """Log one typed event; its dataclass fields become the line's fields."""
        self.told += 1
        fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        self._write(event.level, event.name, fields)

    def library(self, level: str, logger_name: str, message: str, exception: str) -> None:
        """Log what a library said at WARNING or above."""
        fields: dict[str, object] = {"logger": logger_name, "message": message}
        if exception:
            fields["exception"] = exception
        self._write(level, "library.message", fields)

    def progress(self, counts: ProgressCounts) -> None:
        """Take a stage's newest totals; show them when the last showing is old enough."""
        self.told += 1
        if not self._shows_progress:
            return
        now_s = self._clock.monotonic_s()
        if counts.stage != self._stage:
            self._show_waiting()
            self._stage, self._meter = counts.stage, ProgressMeter(started_s=now_s)
            self._shown_s = now_s
        self._counts = counts
        self._waiting = self._meter.view(counts, now_s=now_s)
        if now_s - self._shown_s >= self._gap_s:
            self._shown_s = now_s
            self._show_waiting()

    @property
    def progress_gap_s(self) -> float:
        """Pause between two showings of progress."""
        return self._gap_s

    def repeat_progress(self) -> None:
        """Show the newest totals again where an interval went by without any: it still works.

        A terminal has its line standing.
        """
        now_s = self._clock.monotonic_s()
        if not self._shows_progress or self._terminal or now_s - self._shown_s < self._gap_s:
            return
        self._shown_s = now_s
        if self._counts is None:
            counts = ProgressCounts(stage="run", done=0)
            self._write("info", "run.progress", self._meter.view(counts, now_s=now_s).fields())
        else:
            self._waiting = self._meter.view(self._counts, now_s=now_s)
            self._show_waiting()

    def _show_waiting(self) -> None:
        """Show the last totals that were not shown, so that a stage's end is never missing."""
        view, self._waiting = self._waiting, None
        if view is None:
            return
        if self._terminal:
            self._terminal.draw(view.counts.stage, view.sentence())
        else:
            self._write("info", f"{view.counts.stage}.progress", view.fields())

    def _write(self, level: str, name: str, fields: dict[str, object]) -> None:
        self._log.log(LogLevel(level).number, name, **fields)

    def _stamped(
        self, _logger: object, _method: str, fields: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        fields["timestamp"] = self._clock.now().isoformat(timespec="milliseconds")
        return fields

    def close(self) -> None:
        """Show what still waits and give the terminal back."""
        self._show_waiting()
        if self._terminal:
            self._terminal.rest()


class _Lines:
    """What structlog takes for a logger: any level's line goes to one place."""

    def __init__(self, lines: LineStream) -> None:
        self.debug = self.info = self.warning = self.error = lines.write_line


def _redacted(
    _logger: object, _method: str, fields: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    return redacted_fields(fields)


def _json_line(_logger: object, _method: str, fields: MutableMapping[str, object]) -> str:
    """Return one line of pure ASCII: JSON's own escapes keep keys exact and inert."""
    head = {name: fields.pop(name) for name in ("timestamp", "level", "event", "run_id")}
    return json.dumps({**head, **fields})


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


@contextlib.contextmanager
def open_events(
    options: LogOptions, *, run_id: str, clock: Clock, stream: TextIO
) -> Iterator[StructuredEvents]:
    """Give the Events port for one run, and take over what libraries log until it is closed.

    Args:
        options: The level and the format.
        run_id: Bound to every event.
        clock: Stamps events and paces progress.
        stream: stderr; another one in tests. Never stdout, which is for data.
    """
    events = StructuredEvents(options, run_id=run_id, clock=clock, stream=stream)
    try:
        with library_logs(events.library):
            yield events
    finally:
        events.close()
