"""What comes of the work: outcomes told, bugs kept, and the first error that ends the run.

Never works on an entry.
Law: an error is of one entry or of the run; what is of one entry takes no other with it.
"""

from collections.abc import Awaitable
from typing import TypeVar

from backfill.errors import BackfillError, BugError, StoreFault
from backfill.execute.bench import AbandonedError, Bench
from backfill.execute.tally import Tally
from backfill.manifest.entries import ManifestEntry
from backfill.model.escaping import visible_text
from backfill.model.outcome import Outcome

T = TypeVar("T")


class Conclusions:
    """Shared by all who work on the entries of one run, of which there are `rows`."""

    def __init__(self, bench: Bench, rows: int) -> None:
        self.tally = Tally(bench, rows, self.stop)
        self.broken_keys: set[str] = set()
        """Keys that met a bug: what is left of them stays open."""
        self._bench = bench
        self._fatal: BackfillError | None = None
        self._bug: BugError | None = None

    def require_none(self) -> None:
        """Raise the first error that the run met, a bug first."""
        if (error := self._bug or self._fatal) is not None:
            raise error

    def tell(self, entry: ManifestEntry, outcome: Outcome) -> None:
        """Give an outcome to the journal."""
        try:
            self.tally.tell(entry, outcome)
        except BackfillError as error:
            self.stop(error)
        # Whatever it is, it is of this entry, and must not take the others with it at every resume.
        except Exception as error:  # noqa: BLE001 - as said above
            self.keep_bug(entry, error)

    async def guarded(self, entry: ManifestEntry, work: Awaitable[T]) -> T | None:
        """Return what `work` on an entry comes to; None where the run ends, or it has met a bug."""
        try:
            return await work
        except AbandonedError:
            return None
        except StoreFault as fault:
            self.stop(self._bench.ports.error_of(fault))
        except BackfillError as error:
            self.stop(error)
        except Exception as error:  # noqa: BLE001 - as in `tell`
            self.keep_bug(entry, error)
        return None

    def keep_bug(self, entry: ManifestEntry, error: Exception) -> None:
        """Let the other keys go on, unless almost all fail; the run ends with the first bug."""
        self.broken_keys.add(entry.key)
        if self._bug is None:
            self._bug = BugError(
                f"entry {entry.number}, key '{visible_text(entry.key)}': "
                f"{visible_text(repr(error))}",
                hint="please report it; this entry stays open, and the others have their outcomes",
            )
            self._bug.__cause__ = error
        self._bench.errors[type(error).__name__] += 1
        self.tally.note(is_failure=True)

    def stop(self, error: BackfillError) -> None:
        """No new entry starts; running ones end; then the run ends with the first such error."""
        self._fatal = self._fatal or error
        self._bench.halt.set()
