"""Events that nobody looks at."""

from backfill.ports import Event, ProgressCounts


class NoEvents:
    """The port Events, deaf."""

    def emit(self, event: Event) -> None:
        """Hear nothing."""

    def progress(self, counts: ProgressCounts) -> None:
        """Hear nothing."""
