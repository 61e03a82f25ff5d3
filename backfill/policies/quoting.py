"""What a policy says, shown to a person.

Never shows a policy's words raw: Sids, names and values are other people's text.
Law: what comes out is visible characters on one line, of bounded length.
"""

from typing import Final

from backfill.model.escaping import visible_text

_SHOWN_CHARACTERS_MAX: Final = 160
"""An ARN of a bucket with a long prefix still fits; a pasted novel does not."""


def shown(text: str) -> str:
    """Return the text harmless on a terminal, cut when it is long."""
    safe = visible_text(text)
    is_long = len(safe) > _SHOWN_CHARACTERS_MAX
    return f"{safe[:_SHOWN_CHARACTERS_MAX]}…" if is_long else safe


def quoted(text: str) -> str:
    """Return the text as `shown`, in quotes."""
    return f'"{shown(text)}"'
