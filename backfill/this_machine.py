"""This machine's side of a run: the run directory, its lock or lease, its journals, the clock.

The adapters of the run directory and the journal are built here, those of S3 in `compose`, which
gives all of it on.
Never asks anything of the accounts that are backfilled.
Law: who writes into a run directory holds it, wherever it lies.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from backfill.aws.clock import SystemClock, SystemRandom
from backfill.aws.faults import error_of
from backfill.aws.session import Connection
from backfill.errors import StoreFault
from backfill.journal.journal import SegmentJournal
from backfill.journal.segments import SEGMENT_BYTES_MAX
from backfill.kept_on_s3 import S3Options, opened
from backfill.model.outcome import Outcome
from backfill.ports import ArtifactIndex, ArtifactStore, Clock, Journal, Random
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.lock import hold_run_directory, join_run_directory
from backfill.run_directory.on_s3.copy import CopiedArtifacts, Copy
from backfill.run_directory.on_s3.directory import S3RunDirectory
from backfill.run_directory.on_s3.folder import refuse_working_copy
from backfill.run_directory.on_s3.gate import LeaseGate, joined_gate
from backfill.run_directory.on_s3.held import Held
from backfill.run_directory.on_s3.mending import MARKER_FILE
from backfill.run_directory.pulse import Pulse
from backfill.settings import MIB, Settings

SEGMENT_BYTES_ON_S3: Final = 4 * MIB
"""Of a journal. A lost disk takes the last segment with it, some 20,000 copies that have to be
recognised at the destination; a thousand million copies are fifty thousand segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a stage needs of this machine and nothing of AWS: enough to plan, report, look.

    `lock` is the descriptor of the run directory's lock while it is held; None while it is not.
    `pulse` is what its holder tells of itself; None where nobody asks.
    Of a run directory on S3, `on_s3` is that directory, `copy` what is here of it, and `holding`
    the hold on it, None for who only looks. `gate` is what writes to other buckets pass then.
    """

    root: Path
    artifacts: ArtifactStore
    clock: Clock
    random: Random
    lock: int | None = None
    pulse: Pulse | None = None
    on_s3: S3RunDirectory | None = None
    copy: Copy | None = None
    holding: Held | None = None
    gate: LeaseGate | None = None

    @property
    def shown(self) -> str:
        """The run directory as it was named."""
        return str(self.root) if self.on_s3 is None else self.on_s3.location.url

    def shown_file(self, name: str) -> str:
        """Return where a person finds a file of the run directory."""
        return str(self.root / name) if self.holding is None else self.holding.url_of(name)

    def bring(self, name: str) -> None:
        """Have a folder here as a whole, for whoever reads its files by their paths."""
        if self.copy is not None:
            self.copy.bring(name)

    async def keep(self) -> None:
        """Return when all that stands is safe; what lies on this disk is."""
        if self.holding is not None:
            await self.holding.flush()

    async def keep_documents(self) -> None:
        """Return when the documents that stand are safe, for the holder and its copy processes."""
        if self.gate is not None:
            await self.gate.kept()


def machine(run_directory: Path) -> Machine:
    """Return this machine's side of a run directory; nothing is made or locked yet."""
    clock = SystemClock()
    return Machine(
        root=run_directory,
        artifacts=LocalArtifacts(run_directory),
        clock=clock,
        random=SystemRandom(),
        pulse=Pulse(run_directory, rest_left_s=clock.rest_left_s),
    )


@contextmanager
def held(here: Machine) -> Iterator[Machine]:
    """Hold the run directory: one process at a time writes there, with those that it starts.

    Raises:
        LeaseHeldError: Another process holds it.
        RefusedError: It is the working copy of one on S3, or cannot be written.
    """
    if here.on_s3 is not None:
        with _held_on_s3(here, here.on_s3) as holder:
            yield holder
        return
    refuse_working_copy(here.root)
    beating = nullcontext() if here.pulse is None else here.pulse.beating()
    with hold_run_directory(here.root, clock=here.clock) as lock, beating:
        yield replace(here, lock=lock)


@contextmanager
def looked_at(options: S3Options, connection: Connection) -> Iterator[Machine]:
    """Open a run directory on S3 and look at it as it was published last; `held` holds it.

    Raises:
        BackfillError: It cannot be reached, or is damaged.
    """
    try:
        with opened(options, connection, Settings()) as directory, directory.reading() as copy:
            yield Machine(
                root=copy.root,
                artifacts=CopiedArtifacts(copy),
                clock=SystemClock(),
                random=SystemRandom(),
                on_s3=directory,
                copy=copy,
            )
    except StoreFault as fault:
        raise error_of(fault) from fault


@contextmanager
def _held_on_s3(here: Machine, directory: S3RunDirectory) -> Iterator[Machine]:
    clock = SystemClock()
    pulse, is_held = Pulse(directory.root, rest_left_s=clock.rest_left_s), False
    # Until it is held, and when it is given back, what is waited for are requests, which have ends.
    pulse.watch(under_way=lambda: not is_held)
    pulse.watch(under_way=lambda: directory.waited_for)
    with directory.held(pulse.beating()) as holding:
        is_held = True
        yield replace(
            here,
            root=directory.root,
            artifacts=holding.artifacts,
            clock=clock,
            lock=holding.lock,
            pulse=pulse,
            copy=holding.copy,
            holding=holding,
            gate=holding.gate,
        )
        is_held = False


@contextmanager
def joined(here: Machine, lock: int) -> Iterator[Machine]:
    """Share the hold of the process that passed its lock's descriptor on, and its gate."""
    with join_run_directory(here.root, lock):
        yield replace(here, gate=joined_gate(here.root))


@asynccontextmanager
async def journal(
    here: Machine, manifest: ArtifactIndex, *, shard: int = 0
) -> AsyncIterator[Journal]:
    """Open the journal of a manifest, or of one shard of it: what was written is replayed.

    Raises:
        ArtifactDamagedError, ForeignRunDirectoryError, RefusedError: See `journal.journal`.
    """
    journal = _opened_journal(here, manifest, shard)
    try:
        yield journal
    finally:
        await journal.close()


def written_outcomes(here: Machine, manifest: ArtifactIndex, shard: int) -> Iterator[Outcome]:
    """Stream the outcomes in the journal of a shard that nobody works on any more."""
    journal = _opened_journal(here, manifest, shard)
    try:
        yield from journal.outcomes()
    finally:
        journal.release()


def _opened_journal(here: Machine, manifest: ArtifactIndex, shard: int) -> SegmentJournal:
    folder = _journal_name(manifest.name, shard)
    here.bring(folder)
    is_kept_on_s3 = (here.root / MARKER_FILE).exists()
    return SegmentJournal.open(
        here.root / folder,
        manifest_digest=manifest.digest,
        segment_bytes_max=SEGMENT_BYTES_ON_S3 if is_kept_on_s3 else SEGMENT_BYTES_MAX,
    )


def has_journal(here: Machine, manifest_name: str) -> bool:
    """Return whether work on a manifest was begun."""
    folder = _journal_name(manifest_name)
    return here.copy.has(folder) if here.copy is not None else (here.root / folder).exists()


def _journal_name(manifest_name: str, shard: int = 0) -> str:
    name = manifest_name.replace("/", "-")
    return f"journal/{name}-shard-{shard:02d}" if shard else f"journal/{name}"
