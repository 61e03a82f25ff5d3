"""What a seed decides before anything runs: buckets, rule, campaign, history, weather.

What it draws of the time before the run is written by `prehistory`.
"""

from dataclasses import dataclass, replace
from random import Random

from backfill.campaign import Campaign, DestinationSpec, OtherWriters
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.replication.settings import Placement
from backfill.sandbox.simulation.nemesis import CALM, HEAVY, LIGHT, MEDIUM, Level
from backfill.settings import Settings
from tests.doubles.troubles import KINDS, Drawn

SOURCE, DESTINATION = "source-bucket", "destination-bucket"
OWNER = Caller(account_id="111111111111", arn="arn:aws:iam::111111111111:root", region="eu-west-1")
RECEIVER = Caller(
    account_id="222222222222", arn="arn:aws:iam::222222222222:root", region="eu-central-1"
)

KEYS = (
    *("a/k1", "a/k10", "a/k1/", "a/k2", "a/k3", "a/k4", "a/k5", "a/k6", "a/k7", "a/k8", "a/k9"),
    *(
        "b/x",
        "b//x",
        "b/%2F",
        "b/x+y",
        "b/é",
        "b/\n",
        "b/z z",
        "b/../q",
        "c",
        "c\x01",
        "d/\U0001f600",
    ),
    *("d/1", "d/2"),
)

COPY_LIMIT_BYTES = 60
"""Larger ones go by parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The choices of a seed. Interruptions are (kind, when) in the lives of processes."""

    seed: int
    keys: tuple[str, ...]
    has_rule: bool
    prefix: str
    replicates_markers: bool
    is_first_schema: bool
    storage_class: str
    is_quiet: bool
    allows_hiding: bool
    level: Level
    placement: Placement
    lag_s: tuple[float, float]
    writer_operations: int
    writer_pause_s: float
    has_strangers: bool
    rival_share: float
    """How often somebody writes the very key that is being copied."""
    is_shuffled: bool
    interruptions: tuple[tuple[str, int], ...]
    page_max: int
    lifecycle_operations: int = 0
    """What lifecycle rules of both buckets do beside the run."""
    troubles: tuple[Drawn, ...] = ()
    damaged_before: int = 0
    """Keys that somebody damages at the destination before it is verified."""
    damaged_after: int = 0
    """The same between verify and repair, which must not take what it has not seen for its own."""
    repairs: int = 0
    copiers: int = 0
    """Copy processes beside the holder."""
    strikes: tuple[int, ...] | None = None
    """The nemesis' strikes that take place, by number; None: all that it draws."""
    past_keys: tuple[str, ...] = ()
    """Whose past was drawn, where it is more than `keys`: what is left is as it was (shrinking)."""

    @property
    def campaign(self) -> Campaign:
        """Return what the person asked for."""
        spec = DestinationSpec(
            bucket=DESTINATION,
            storage_class=self.storage_class,
            replicates_delete_markers=self.replicates_markers,
        )
        return Campaign(
            source_bucket=SOURCE,
            destination=None if self.has_rule else spec,
            destination_owner=RECEIVER.account_id,
            other_writers=OtherWriters.QUIET if self.is_quiet else OtherWriters.BY_RULES,
            allows_hiding=self.allows_hiding,
            settings=Settings(
                concurrency=4,
                copy_object_bytes_max=COPY_LIMIT_BYTES,
                parts_in_flight_max=3,
                retry_cap_s=3.0,
                settle_delay_s=2.0,
                settle_rounds=1,
                drain_timeout_s=2.0,
                page_max=self.page_max,
                processes=1 + self.copiers,
                # Small enough to open on runs of a few keys, where all writes are denied.
                breaker_window=4 if any(name == "denied" for name, *_ in self.troubles) else 200,
            ),
        )

    @property
    def destinations(self) -> tuple[str, ...]:
        """Return the destination buckets, as a plan numbers them."""
        return (DESTINATION,)

    @property
    def document(self) -> dict[str, object] | None:
        """Return the replication configuration, as the SDK shows it; None without one."""
        return rule_document(self) if self.has_rule else None

    def selects(self, key: str) -> bool:
        """Return whether the rule, or the campaign's own, covers a key."""
        return key.startswith(self.prefix)

    @property
    def rule_replicates_markers(self) -> bool:
        """Return whether delete markers of covered keys are carried over."""
        return self.replicates_markers or (self.has_rule and self.is_first_schema)


def scenario_of(seed: int) -> Scenario:
    """Return the choices of a seed."""
    plain, random = plain_scenario_of(seed), Random(f"world {seed}")
    weight = {"calm": 0.1, "light": 0.2, "medium": 0.3, "heavy": 0.4}[plain.level.name]
    troubles = tuple(
        (random.choice(tuple(KINDS)), random.randint(1, 120), random.choice((5.0, 20.0, 60.0)))
        for _ in range(3)
        if random.random() < weight * 0.8
    )
    lifecycle = random.choice((0, 0, 0, 6, 12))
    is_repaired, copiers = random.random() < 0.25, random.choice((0, 0, 0, 0, 1, 2))
    before, after = random.randint(0, 4), random.choice((0, 0, 1, 3))
    interruption = random.choice(("kill", "torn", "written", "stop")), random.randint(1, 300)
    return replace(
        plain,
        # One more life, which may be repair's.
        interruptions=(*plain.interruptions, interruption) if is_repaired else plain.interruptions,
        lifecycle_operations=lifecycle if plain.has_rule else 0,
        troubles=troubles,
        damaged_before=before if is_repaired else 0,
        # Without a rule the campaign says that nobody else writes while the run is at work.
        damaged_after=after if is_repaired and plain.has_rule else 0,
        repairs=1 + (random.random() < 0.3) if is_repaired else 0,
        copiers=copiers,
    )


def plain_scenario_of(seed: int) -> Scenario:
    """Return the choices of a seed before anything is drawn that came to the world later."""
    random = Random(f"scenario {seed}")
    is_quiet = random.random() < 0.1
    has_rule = not is_quiet and random.random() < 0.85
    weather = random.random()
    level = (
        CALM if weather < 0.15 else LIGHT if weather < 0.5 else MEDIUM if weather < 0.8 else HEAVY
    )
    lag_s = random.choice(
        ((0.0, 0.05), (0.0, 0.05), (0.0, 0.3), (0.2, 2.0), (0.0, 8.0), (3.0, 20.0))
    )
    kinds = ("kill", "kill", "kill", "torn", "written", "stop", "end")
    count = random.choice((0, 0, 1, 1, 2, 3))
    return Scenario(
        seed=seed,
        keys=tuple(sorted(random.sample(KEYS, random.randint(8, 20)))),
        has_rule=has_rule,
        prefix=random.choice(("", "", "", "a/")) if has_rule else "",
        replicates_markers=random.random() < 0.7,
        is_first_schema=has_rule and random.random() < 0.1,
        storage_class=random.choice(("", "", "", "STANDARD_IA")),
        is_quiet=is_quiet,
        allows_hiding=random.random() < 0.3,
        level=level,
        placement=random.choice((Placement.ARRIVAL, Placement.ORIGINAL_TIME)),
        lag_s=lag_s,
        writer_operations=0 if is_quiet else random.choice((0, 8, 16, 32)),
        writer_pause_s=random.choice((0.01, 0.03, 0.03, 0.1, 0.3)),
        # Without a rule nobody else writes: that is what the campaign says (architecture, 3).
        has_strangers=has_rule and random.random() < 0.15,
        rival_share=random.choice((0.0, 0.15, 0.3)) if has_rule else 0.0,
        is_shuffled=random.random() < 0.5,
        interruptions=tuple(
            (random.choice(kinds), int(random.triangular(1, 420, 130))) for _ in range(count)
        ),
        page_max=random.choice((3, 7, 1000)),
    )


def rule_document(scenario: Scenario) -> dict[str, object]:
    """Return the replication configuration, as the SDK shows it."""
    destination: dict[str, object] = {"Bucket": f"arn:aws:s3:::{DESTINATION}"}
    if scenario.storage_class:
        destination["StorageClass"] = scenario.storage_class
    rule: dict[str, object] = {"ID": "backfilled", "Status": "Enabled", "Destination": destination}
    if scenario.is_first_schema:
        rule["Prefix"] = scenario.prefix
    else:
        status = "Enabled" if scenario.replicates_markers else "Disabled"
        rule |= {
            "Priority": 1,
            "Filter": {"Prefix": scenario.prefix},
            "DeleteMarkerReplication": {"Status": status},
        }
    return {"Role": "arn:aws:iam::111111111111:role/replication", "Rules": [rule]}
