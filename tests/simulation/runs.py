"""What one simulated run leaves to whoever judges or tells it."""

from dataclasses import dataclass, field

from backfill.events.copying import UploadResumed
from backfill.sandbox.simulation.nemesis import Nemesis
from tests.doubles.history import History
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.simulated_s3 import SimulatedS3
from tests.simulation.scenario import Scenario


@dataclass(slots=True)
class Run:
    """Everything that a run leaves to its checkers. `endings` tells how each process ended."""

    scenario: Scenario
    s3: SimulatedS3
    artifacts: MemoryArtifacts
    nemesis: Nemesis
    endings: list[str] = field(default_factory=list)
    resumed: list[UploadResumed] = field(default_factory=list)
    """Uploads that a process left open and another one went on with."""
    copiers_killed: int = 0
    failure: str = ""
    """Why the run never came to its end, empty if it did (P9)."""
    steps: int = 0

    @property
    def history(self) -> History:
        return self.s3.history
