"""Markdown tables of what was measured, and what it is measured by.

Never measures. Law: a ratio is the median of the rounds' own ratios, because machines drift.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contenders import STAGES, Run

OURS = "backfill run"
REFERENCE = "s5cmd"
MEMORY_MAX_MIB = 250
AT_LEAST = "at least, "


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One thing to reach: at most (or at least) `must`, better `goal`."""

    words: str
    transport: str
    must: float
    goal: float | None
    reached: float

    @property
    def is_met(self) -> bool:
        """Return whether it is within what must be."""
        is_above, is_below = self.reached >= self.must, self.reached <= self.must
        return is_above if self.words.startswith(AT_LEAST) else is_below


def transports(runs: Iterable[Run]) -> list[str]:
    """Return the transports in the order in which they were measured."""
    return list(dict.fromkeys(run.transport for run in runs))


def comparison_table(runs: Sequence[Run]) -> str:
    """Return everybody in one table."""
    lines = [
        "| | | CPU-s per 10,000 | wall µs | peak MiB | requests | CPU/s5cmd | server CPU-s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for transport in transports(runs):
        of_transport = [run for run in runs if run.transport == transport]
        for label in dict.fromkeys(run.label for run in of_transport):
            own = [run for run in of_transport if run.label == label]
            if own[0].stages():
                lines.append(
                    _row(f"{label}: list + copy + journal", own, of_transport, _journaled_s)
                )
                label = f"{label}: all, every copy verified"  # noqa: PLW2901 the row's name
            lines.append(_row(label, own, of_transport, _whole_s))
    return "\n".join(lines)


def _journaled_s(run: Run) -> tuple[float, float]:
    mark = run.until("execute")
    return mark.cpu_s, mark.wall_s


def _whole_s(run: Run) -> tuple[float, float]:
    return run.measured.cpu_s, run.measured.wall_s


def _row(
    label: str, own: Sequence[Run], runs: Sequence[Run], took: Callable[[Run], tuple[float, float]]
) -> str:
    cpu_s = median(took(run)[0] * 1e4 / run.objects for run in own)
    wall_us = median(1e6 * took(run)[1] / run.objects for run in own)
    is_whole = took is _whole_s
    ratio = _ratio(own, runs, lambda run: took(run)[0])
    cells = [
        own[0].transport,
        label,
        f"{cpu_s:.2f}",
        f"{wall_us:,.0f}",
        f"{max(run.measured.peak_mib for run in own):.0f}" if is_whole else "",
        f"{median(run.requests / run.objects for run in own):.2f}" if is_whole else "",
        "" if ratio is None else f"{ratio:.2f}",
        f"{median(run.counts['cpu_s'] for run in own):.1f}" if is_whole else "",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(own: Sequence[Run], runs: Sequence[Run], took_s: Callable[[Run], float]) -> float | None:
    references = {run.round: run for run in runs if run.name == REFERENCE}
    pairs = [(run, references[run.round]) for run in own if run.round in references]
    if not pairs:
        return None
    return median(1e6 * took_s(run) / run.objects / other.cpu_us for run, other in pairs)


def stages_table(runs: Sequence[Run]) -> str:
    """Return the stages of our runs, CPU microseconds per object."""
    names = [*STAGES, "end"]
    lines = [
        f"| CPU-µs per object | objects | {' | '.join(names)} | all |",
        "| --- " * (len(names) + 3) + "|",
    ]
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for run in runs:
        if run.stages():
            groups.setdefault((run.transport, run.label, run.objects), []).append(run)
    for (transport, label, objects), own in groups.items():
        stages = [median(1e6 * run.stages()[name].cpu_s / objects for run in own) for name in names]
        told = " | ".join(f"{stage:,.0f}" for stage in stages)
        cpu_us = median(run.cpu_us for run in own)
        lines.append(f"| {transport}, {label} | {objects:,} | {told} | **{cpu_us:,.0f}** |")
    return "\n".join(lines)


def sweep_table(runs: Sequence[Run]) -> str:
    """Return how CPU and memory grow with objects: not at all, it is hoped."""
    if not runs:
        return ""
    lines = [
        "| | objects | CPU-s | CPU-µs per object | wall s | peak MiB | requests per object |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {run.transport} | {run.objects:,} | {run.measured.cpu_s:,.1f} | {run.cpu_us:,.0f}"
        f" | {run.measured.wall_s:,.1f} | {run.measured.peak_mib:.0f}"
        f" | {run.requests / run.objects:.3f} |"
        for run in runs
    ]
    return "\n".join(lines)


def goals(side: Sequence[Run], sweep: Sequence[Run]) -> list[Goal]:
    """Return what was to be reached, and what was."""
    return [
        Goal(words=words, transport=transport, must=must, goal=goal, reached=reached)
        for transport in transports(side)
        for words, must, goal, reached in _reached(
            [run for run in side if run.transport == transport],
            [run for run in sweep if run.transport == transport],
            is_tls=transport == "TLS",
        )
        if reached is not None
    ]


def _reached(
    runs: Sequence[Run], sweep: Sequence[Run], *, is_tls: bool
) -> list[tuple[str, float, float, float | None]]:
    own = [run for run in runs if run.label == OURS]
    most = max(run.objects for run in sweep or own)
    biggest = [run for run in sweep or own if run.objects == most]
    at = f"at {most:,} objects"
    stages = [run.stages() for run in biggest if run.stages()]
    return [
        (
            "list + copy + durable journal: CPU against s5cmd cp",
            0.20,
            0.12,
            _ratio(own, runs, lambda run: _journaled_s(run)[0]),
        ),
        (
            "all, every copy verified and reported: CPU against s5cmd cp",
            *((0.25, 0.14) if is_tls else (0.30, 0.17)),
            _ratio(own, runs, lambda run: run.measured.cpu_s),
        ),
        (
            f"CPU-s per million verified copies ({at})",
            *((210, 115) if is_tls else (125, 70)),
            median(run.cpu_us for run in biggest),
        ),
        (
            f"versions listed into sorted artefacts, CPU-s per million ({at})",
            8,
            4,
            median([1e6 * each["inventory"].cpu_s / most for each in stages] or [0.0]),
        ),
        (
            f"{AT_LEAST}copies a second while one process copies ({at})",
            3500,
            3500,
            median([most / each["execute"].wall_s for each in stages] or [0.0]),
        ),
        ("CPU per object with two processes against one", 1.1, 1.0, _of_two(own, runs)),
        (
            f"peak MiB of the tree ({at})",
            MEMORY_MAX_MIB,
            60,
            max(run.measured.peak_mib for run in biggest),
        ),
    ]


def _of_two(own: Sequence[Run], runs: Sequence[Run]) -> float | None:
    two = [run for run in runs if run.label == f"{OURS} --processes 2"]
    pairs = zip(two, own, strict=False)
    ratios = [one.measured.cpu_s / other.measured.cpu_s for one, other in pairs]
    return median(ratios) if ratios else None


def goals_table(reached: Sequence[Goal]) -> str:
    """Return what must be, what should be, and what is."""
    lines = ["| | | must | goal | reached | |", "| --- | --- | --- | --- | --- | --- |"]
    for goal in reached:
        best = "" if goal.goal is None else f"{goal.goal:g}"
        word = "within" if goal.is_met else "**not yet**"
        lines.append(
            f"| {goal.words} | {goal.transport} | {goal.must:g} | {best} | {goal.reached:.3g}"
            f" | {word} |"
        )
    return "\n".join(lines)
