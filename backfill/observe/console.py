"""A log line for a person: time, level, event, then `name=value` fields.

Never decides what is logged, and never lets a value act on the terminal.
Law: a line can be read back; a value with a space, a quote or `=` stands in quotes.
"""

from collections.abc import Mapping, MutableMapping
from typing import Final

from backfill.model.escaping import visible_text

_COLOURS: Final = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"


class ConsoleLine:
    """Render an event's fields as one line; colour only stresses what the words say anyway."""

    def __init__(self, *, has_colour: bool) -> None:
        self._has_colour = has_colour

    def __call__(self, _logger: object, _method: str, fields: MutableMapping[str, object]) -> str:
        """Return the line, without its end."""
        time = str(fields.pop("timestamp", ""))[11:19]
        level = str(fields.pop("level", "info"))
        name = visible_text(str(fields.pop("event", "")))
        fields.pop("run_id", None)  # one terminal shows one run
        traceback = str(fields.pop("exception", "")).splitlines()
        words = (f"{visible_text(key)}={_word(value)}" for key, value in fields.items())
        head = " ".join((time, self._stressed(level), name, *words))
        return "\n".join((head, *(f"    {visible_text(line)}" for line in traceback)))

    def _stressed(self, level: str) -> str:
        colour = _COLOURS.get(level) if self._has_colour else None
        return f"{colour}{level:<7}{_PLAIN}" if colour else f"{level:<7}"


def _word(value: object) -> str:
    if isinstance(value, Mapping):
        value = ",".join(f"{key}:{inner}" for key, inner in value.items())
    text = visible_text(str(value))
    if text and not any(character in text for character in " =\"'"):
        return text
    return '"' + text.replace('"', r"\x22") + '"'
