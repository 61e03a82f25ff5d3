"""How many requests a listing may take beyond the fewest that could do.

Never stops a listing: it only refuses to cut one more range.
Law: requests stay below 1.2 times the fullest pages' number, and a few.
"""

from typing import Final

_SPARE_RATIO: Final = 0.15
"""Of the full pages listed so far. It also sets how fast ranges multiply: 128 are open after some
400 pages, in 2 s where a page takes 100 ms."""
_SPARE_PAGES: Final = 4.0
"""To begin with, so that a bucket of some pages is listed at once, too."""
_COST_PAGES: Final = 0.5
"""What a range costs on average: its last page reaches beyond its end."""


class Effort:
    """The requests of one bucket's listing, and what came of them."""

    def __init__(self) -> None:
        self.requests = 0
        self.rows = 0
        self.page_rows = 0

    def note(self, *, given: int, kept: int) -> None:
        """Take note of a page that gave entries of which some were kept."""
        self.requests += 1
        self.rows += kept
        self.page_rows = max(self.page_rows, given)

    def allows(self, open_ranges: int) -> bool:
        """Return whether there is a request to spare for one more range."""
        if self.page_rows == 0:
            return False
        full_pages = self.rows / self.page_rows
        spent = self.requests - full_pages + _COST_PAGES * (open_ranges + 1)
        return spent <= _SPARE_RATIO * full_pages + _SPARE_PAGES
