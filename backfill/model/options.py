"""One thing that a campaign can say, whatever it is: its kind, its limits, its spellings.

Never says which there are (`campaign_options` does), and imports next to nothing: it is on the path
of `backfill --help`. Law: an option has one name, and every spelling follows from it.
"""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """The type of an option's value."""

    TEXT = "text"
    BUCKET = "bucket"
    ACCOUNT = "account"
    INTEGER = "integer"
    SECONDS = "seconds"
    SWITCH = "switch"
    TIMESTAMP = "timestamp"
    TAGS = "tags"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that a campaign can say, in every spelling: TOML, environment and flag."""

    table: str
    name: str
    kind: Kind
    help: str
    flag: str = ""
    choices: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = 2**53 - 1
    """Beyond it a JSON reader may round."""

    @property
    def environment(self) -> str:
        """Return the environment variable that sets this option."""
        spelling = self.flag.removeprefix("--") or f"{self.table}-{self.name}"
        return "BACKFILL_" + spelling.upper().replace("-", "_")
