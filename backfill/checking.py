"""Preflight as a whole: the evidence of both accounts, every check, and, if asked for, a canary.

Never decides anything itself: `preflight.catalogue` does, over what `preflight.gathering` read.
Law: it reads only, but for the canary's one object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from backfill.campaign import Campaign, Engine
from backfill.compose import Machine, account_clients, clients
from backfill.errors import ArtifactDamagedError, PreflightError
from backfill.events.runs import PreflightFinished, PreflightWarned
from backfill.inventory.run import SOURCE, listed_blocks
from backfill.opening import Run
from backfill.ports import ArtifactStore, Events
from backfill.preflight.canary import CanaryPorts, send_canaries
from backfill.preflight.catalogue import findings_of, stopping
from backfill.preflight.evidence import ARCHIVES, Counts, Gathered
from backfill.preflight.findings import Finding, Findings, Verdict, findings_bytes
from backfill.preflight.gathering import Views, gather
from backfill.preflight.lines import lines_of
from backfill.work_done import WorkDone

DOCUMENT: Final = "preflight/findings.json"
_CLASS, _ETAG = 6, 4
"""Columns of an inventory's rows (`model.listed`); a delete marker has no ETag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was gathered and what was found."""

    seen: Gathered
    findings: Findings


async def check(
    campaign: Campaign,
    here: Machine,
    events: Events,
    *,
    counts: Counts | None = None,
    canary_timeout_s: float | None = None,
) -> Checked:
    """Read both accounts and carry out every check; with a timeout, send canaries, too."""
    async with account_clients(campaign.access, campaign.settings, here, events) as accounts:
        views = Views(
            source=accounts.source.reader,
            destination=accounts.destination.reader,
            source_control=accounts.source.control,
            destination_control=accounts.destination.control,
            clock=here.clock,
        )
        seen = await gather(campaign, views, counts)
        findings = findings_of(seen)
        if canary_timeout_s is not None:
            async with clients(campaign, here, events) as both:
                ports = CanaryPorts(
                    writer=accounts.source.canary,
                    source=both.source,
                    destination=both.destination,
                    clock=here.clock,
                    random=here.random,
                    events=events,
                )
                sent = await send_canaries(seen, findings, ports, timeout_s=canary_timeout_s)
            findings = Findings(findings=(*findings.findings, *sent), notes=findings.notes)
    events.emit(
        PreflightFinished(
            blockers=findings.count(Verdict.BLOCKER),
            warnings=findings.count(Verdict.WARNING),
            cannot_tell=findings.count(Verdict.CANNOT_TELL),
            ok=findings.count(Verdict.OK),
        )
    )
    return Checked(seen=seen, findings=findings)


async def check_run(run: Run, *, stops: bool) -> None:
    """Begin a run with preflight, unless all of its work is done; keep what was found.

    Where it does not stop, and of what this run does without, blockers are told as warnings.

    Raises:
        PreflightError: Something that this run works with is blocked.
    """
    work, engine = WorkDone(run.here.artifacts), run.scene.engine
    if work.manifests and work.outcome_rounds >= work.manifests:
        return
    is_by_copies = not engine.has_batch
    campaign = replace(run.campaign, engine=Engine.COPY) if is_by_copies else run.campaign
    checked = await check(campaign, run.here, run.events)
    findings = checked.findings
    run.here.artifacts.write_document(DOCUMENT, findings_bytes(findings))
    stopped = stopping(findings, has_batch=engine.has_batch, has_copy=engine.has_copy)
    for finding in findings.of(Verdict.BLOCKER, Verdict.WARNING):
        if not (stops and finding in stopped):
            run.events.emit(
                PreflightWarned(check=finding.check, about=finding.subject, what=finding.what)
            )
    if stops and stopped:
        raise _refusal(run, stopped)


def _refusal(run: Run, stopped: Sequence[Finding]) -> PreflightError:
    lines = (line for finding in stopped for line in lines_of(finding))
    names = ", ".join(dict.fromkeys(finding.check for finding in stopped))
    count = "1 blocker" if len(stopped) == 1 else f"{len(stopped)} blockers"
    return PreflightError(
        f"preflight found {count}: {names}" + f" ({stopped[0].what})" * (len(stopped) == 1),
        hint=f"backfill preflight {run.campaign.source_bucket} shows all findings; they are in"
        f" {run.here.root / DOCUMENT}, too",
        lines=tuple(lines),
    )


def inventory_counts(artifacts: ArtifactStore) -> Counts | None:
    """Return what the source's inventory counts; None where none stands."""
    if artifacts.index(SOURCE) is None:
        return None
    versions = markers = archived = tiered = 0
    try:
        for block in listed_blocks(artifacts, SOURCE):
            for row in block:
                if row[_ETAG] is None:
                    markers += 1
                    continue
                versions += 1
                archived += row[_CLASS] in ARCHIVES
                tiered += row[_CLASS] == "INTELLIGENT_TIERING"
    except ArtifactDamagedError:
        return None  # whoever needs the inventory itself says so
    return Counts(versions=versions, markers=markers, archived=archived, tiered=tiered)
