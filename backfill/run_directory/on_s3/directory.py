"""A run directory on S3 as one process has it: opened, looked at, or held.

Never holds what it only reads, and never reads on from a catalogue that it did not check.
Law: who holds it has the lease on S3 and the lock of the working copy here, for as long as both.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from backfill.ports import Clock, Event
from backfill.ports.run_store import RunStore
from backfill.run_directory.durable import disk_faults_refused, make_directory
from backfill.run_directory.lock import hold_run_directory
from backfill.run_directory.on_s3.background import Background
from backfill.run_directory.on_s3.copy import Copy
from backfill.run_directory.on_s3.folder import (
    marker_of,
    place_of,
    refuse_open_folder,
    remove_empty_folders,
)
from backfill.run_directory.on_s3.gate import machine_s, made_gate
from backfill.run_directory.on_s3.head import Head
from backfill.run_directory.on_s3.held import Ground, Held
from backfill.run_directory.on_s3.keeper import Holder, LeaseKeeper
from backfill.run_directory.on_s3.lease import Observation
from backfill.run_directory.on_s3.location import S3Location
from backfill.run_directory.on_s3.mending import is_last_holders

TOLD_LATER_MAX: Final = 100
"""Events that are kept until somebody listens."""

Listener = Callable[[Event], object]


class S3RunDirectory:
    """A run directory on S3, opened. `store` works in `background` alone."""

    def __init__(
        self,
        background: Background,
        store: RunStore,
        location: S3Location,
        *,
        scratch: Path,
        clock: Clock,
        holder: Holder,
    ) -> None:
        self.location = location
        self._scratch = scratch
        self._listener: Listener | None = None
        self._untold: list[Event] = []
        keeper = LeaseKeeper(
            store,
            location,
            clock=clock,
            now_s=machine_s,
            holder=holder,
            tell=self.tell,
        )
        self._ground = Ground(
            background=background,
            store=store,
            location=location,
            keeper=keeper,
            clock=clock,
            tell=self.tell,
        )

    @property
    def root(self) -> Path:
        """The folder of the working copy, whether it is there or not."""
        return self._scratch / self.location.working_copy_name

    @property
    def waited_for(self) -> int:
        """How much is waited for that has to come from S3, or to get there."""
        return self._ground.background.waited_for

    def listen(self, listener: Listener | None) -> None:
        """Have events told to somebody, what was kept first; None: keep them for the next one."""
        self._listener = listener
        while listener is not None and self._untold:
            listener(self._untold.pop(0))

    @contextmanager
    def reading(self) -> Iterator[Copy]:
        """Look at the run directory as it is published now; nobody is kept from holding it.

        What is written into the copy stays on this machine; what was fetched goes.
        """
        with disk_faults_refused(self._scratch, "create"):
            make_directory(self._scratch)
            root = Path(tempfile.mkdtemp(prefix="backfill-look-", dir=self._scratch))
        try:
            head = self._ground.background.call(self._ground.keeper.look())
            entries = self._ground.catalogue(head, root)
            copy = Copy(root, entries, self._ground.fetch_into(root))
            try:
                yield copy
            finally:
                for name in copy.fetched:
                    (root / name).unlink(missing_ok=True)
        finally:
            remove_empty_folders(root)

    def observed(self) -> Observation | None:
        """Return the lease as it stands on S3; None where nobody held it yet."""
        return self._ground.background.call(self._ground.keeper.observe())

    @contextmanager
    def held(self, beating: AbstractContextManager[None] | None = None) -> Iterator[Held]:
        """Hold the run directory: its lease on S3, and the working copy in step with it.

        `beating` is entered once the working copy is this process's: waiting for the lease and
        mending may take long, and what a dead holder left there passes for a sign of life.

        Raises:
            LeaseHeldError: Another process holds it.
            ArtifactDamagedError: Something of it is missing on S3, or damaged.
            RefusedError: The store has no conditional writes, or this disk refuses.
        """
        ground, root = self._ground, self.root
        refuse_open_folder(root)
        lasting = beating or nullcontext()
        with hold_run_directory(root, clock=ground.clock) as lock, lasting:
            marker, place = marker_of(root), place_of(root)

            def is_ours(head: Head | None) -> bool:
                return is_last_holders(marker, head, url=self.location.url, place=place)

            # Who held it on this very disk has ended: its processes had the lock that is ours now.
            before = ground.background.call(ground.keeper.take(is_dead=is_ours))
            gate = made_gate(root, url=self.location.url)
            try:
                held = Held(ground, root, lock=lock, gate=gate)
                with held.renewing():
                    held.mend(before, place, is_ahead=is_ours(before))
                    yield held
            finally:
                gate.close()

    def tell(self, event: Event) -> None:
        """Tell an event, or keep it for who listens later."""
        if self._listener is not None:
            self._listener(event)
        elif len(self._untold) < TOLD_LATER_MAX:
            self._untold.append(event)
