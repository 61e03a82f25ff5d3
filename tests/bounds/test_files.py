"""What a run leaves on disk, keeps open and says is bounded, however many objects it copies.

The product runs on the model with a run directory of its own on disk.
"""

import gc
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from backfill import pipeline
from backfill.execute.stop import StopRequest
from backfill.ports import Event
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.model import S3Model
from tests.damage.originals import write
from tests.damage.place import SETTINGS, Place, Story, in_place
from tests.doubles.damage_table import Kind
from tests.doubles.figures import Row, Tried, figure
from tests.doubles.listings import KeptEvents
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.scenario import DESTINATION

FEW, MANY = 100, figure(ci=1_000, release=20_000)
FILES_MAX = 40
BYTES_A_ROW_MAX = 2_500
"""Of all artefacts and the journal together: some 1,200 are seen, keys of ten bytes."""
DESCRIPTORS_MAX = 12
"""At one time, beside those of the loop; 5 are seen."""
DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run left, and what it took while it worked."""

    files: Counter[str]
    size_bytes: int
    descriptors_max: int
    descriptors_after: int
    events: Counter[str]


class CountedEvents(KeptEvents):
    """Counts events by name; how many files are open is looked at by each word of progress."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Counter[str]()
        self.descriptors_max = 0

    def emit(self, event: Event) -> None:
        self.names[event.name] += 1
        self.descriptors_max = max(self.descriptors_max, open_descriptors())


def open_descriptors() -> int:
    return sum(1 for _ in DESCRIPTORS.iterdir())


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def run_of(objects: int, folder: Path) -> Left:
    """Copy so many objects, every tenth in parts, and verify them."""

    def fill(model: S3Model, clock: VirtualClock) -> None:
        random = Random(objects)
        for number in range(objects):
            clock.skip(0.01)
            kind = Kind.ONE_PART if number % 10 else Kind.PARTS_WHOLE
            write(model, kind, f"k{number:06}", random, is_rich=False)

    async def act(place: Place) -> Left:
        gc.collect()  # what another test dropped while open counts on neither side
        before, events = open_descriptors(), CountedEvents()

        def on_sent(_operation: str, _parameters: object) -> None:
            events.descriptors_max = max(events.descriptors_max, open_descriptors())

        place.s3.on_sent = on_sent
        begun = await place.begin()
        here = replace(begun.here, root=folder, artifacts=LocalArtifacts(folder))
        run = await pipeline.begin(place.story.campaign, here, begun.clients, events)
        await pipeline.take_inventories(run)
        await pipeline.plan(run)
        await pipeline.execute(run, StopRequest())
        assert (await pipeline.verify(run)).plan_rows == objects
        assert not raw_edits.bucket_of(place.model, DESTINATION).uploads, "an upload is left open"
        sizes = {path: path.stat().st_size for path in files_of(folder)}
        return Left(
            files=Counter(str(path.parent.relative_to(folder)) for path in sizes),
            size_bytes=sum(sizes.values()),
            descriptors_max=events.descriptors_max - before,
            descriptors_after=open_descriptors() - before,
            events=events.names,
        )

    settings = replace(SETTINGS, concurrency=16)
    story = Story(seed=1, has_rule=False, has_acls=False, settings=settings)
    return in_place(story, fill, act)


def test_files_descriptors_and_words_do_not_grow_with_objects(tmp_path: Path, tried: Tried) -> None:
    """If this fails, a large bucket fills a disk, a process's table of files, or a log."""
    few, many = (run_of(objects, tmp_path / str(objects)) for objects in (FEW, MANY))
    # A listing of more than a page may have a second file, and however many pages no third.
    assert many.files.keys() == few.files.keys()
    assert all(0 <= many.files[name] - few.files[name] <= 1 for name in few.files)
    assert few.files.total() <= FILES_MAX
    assert (many.size_bytes - few.size_bytes) / (MANY - FEW) < BYTES_A_ROW_MAX
    assert 0 < few.descriptors_max <= many.descriptors_max <= DESCRIPTORS_MAX
    assert (few.descriptors_after, many.descriptors_after) == (0, 0)
    assert many.events == few.events, "no line an object"
    tried(Row.FILES_BOUNDED, MANY)
