"""What holds for a whole plan: where from, where to, as of when.

Never read from a store here. It is the `summary` of the plan artefact, so it survives a restart.
Law: every artefact after the plan takes its places from this header, never from flags again.
"""

from dataclasses import dataclass
from datetime import datetime

from backfill.model.places import BucketPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeader:
    """Source, destinations (indexed by `PlanEntry.destination`) and the horizon.

    Versions created at or after `horizon` belong to live replication.
    """

    source: BucketPlace
    destinations: tuple[BucketPlace, ...]
    horizon: datetime
