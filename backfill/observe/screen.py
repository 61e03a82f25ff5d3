"""Where talk appears: a stream that takes lines, with a moving progress line on a terminal.

Never raises because the stream is gone, and never leaves a half-drawn line behind.
Law: log lines and the progress line pass through one place, so neither overwrites the other.
"""

import contextlib
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.live import Live

REDRAW_GAP_S: Final = 0.2
"""Five times a second: quick enough to look alive, slow enough to cost nothing."""


class LineStream:
    """Lines to a stream. A reader that has gone away is no reason to stop copying."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write_line(self, line: str) -> None:
        """Write and flush one line."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class Terminal(LineStream):
    """Lines above one progress line that is redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._live: Live | None = None

    def draw(self, stage: str, sentence: str) -> None:
        """Show the newest progress of a stage."""
        from rich.text import Text  # noqa: PLC0415 - rich takes 50 ms, and only terminals need it

        line = Text.assemble((stage, "bold"), "  ", sentence)
        with contextlib.suppress(OSError, ValueError):
            self._started().update(line, refresh=True)

    def _started(self) -> "Live":
        if self._live is None:
            from rich.console import Console  # noqa: PLC0415 - as above
            from rich.live import Live  # noqa: PLC0415 - as above

            console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
            self._live = Live(
                console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        return self._live

    def write_line(self, line: str) -> None:
        """Write one line above the progress line."""
        if self._live is None:
            super().write_line(line)
            return
        from rich.text import Text  # noqa: PLC0415 - as above

        with contextlib.suppress(OSError, ValueError):
            self._live.console.print(Text.from_ansi(line), soft_wrap=True)

    def rest(self) -> None:
        """Leave the last progress line standing and stop redrawing."""
        if self._live is not None:
            with contextlib.suppress(OSError, ValueError):
                self._live.stop()
            self._live = None
