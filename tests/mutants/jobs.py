"""Guards of runs by jobs, each taken away at its exact place."""

from collections.abc import Sequence
from random import Random

from backfill.aws import job_requests
from backfill.batch_operations import collecting, joining
from backfill.batch_operations.driver import _Driver
from backfill.batch_operations.report_rows import TaskRow
from backfill.batch_operations.standings import Standing
from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.execute.batch_replication import attempts
from backfill.execute.batch_replication.arrivals import Arrivals, OpenRow
from backfill.execute.batch_replication.judgement import (
    Ended,
    arrived,
    is_expected,
    is_tried_again,
    refused,
)
from backfill.manifest import routing_on
from backfill.manifest.entries import ManifestEntry
from backfill.model.jobs import JobRequest
from backfill.model.outcome import Outcome
from backfill.plan.routes import Route
from tests.doubles.model_requests import Parameters
from tests.mutants.teeth import Kind, Mutant, Patch
from tests.simulation.batch_checkers import batch_violations
from tests.simulation.batch_simulate import simulate_batch
from tests.simulation.checkers import Promise, Violation


def a_token_drawn_anew(patch: Patch) -> None:
    """CreateJob is sent with a token that chance draws, as the SDK does."""
    whole, random = job_requests.create_job_parameters, Random(0)

    def without(request: JobRequest) -> Parameters:
        return {**whole(request), "ClientRequestToken": f"{random.getrandbits(128):032x}"}

    patch.setattr(job_requests, "create_job_parameters", without)


def no_intent_before_create(patch: Patch) -> None:
    """A job is made before it stands in the ledger."""
    whole = _Driver._keep

    def forgetful(driver: _Driver, index: int, standing: Standing) -> None:
        if standing.record.is_open:
            driver._standings[index] = standing
        else:
            whole(driver, index, standing)

    patch.setattr(_Driver, "_keep", forgetful)


def missing_rows_count_as_done(patch: Patch) -> None:
    """A report that does not add up is taken, what it lacks for done."""
    whole = joining._result

    def generous(entry: ManifestEntry, row: TaskRow | None) -> TaskResult:
        if row is None:
            return TaskResult(number=entry.number, state=TaskState.SUCCEEDED, http_status=200)
        return whole(entry, row)

    patch.setattr(collecting, "check_totals", lambda *_said, **_more: None)
    patch.setattr(joining, "_result", generous)


def a_report_is_not_reconciled(patch: Patch) -> None:
    """A report is taken whose rows are not as many as its job counts."""
    patch.setattr(collecting, "check_totals", lambda *_said, **_more: None)


def complete_means_delivered(patch: Patch) -> None:
    """A succeeded task is taken for an object that has arrived."""
    whole = Arrivals._seen

    async def trusting(self: Arrivals, block: Sequence[OpenRow], look: int) -> list[Ended]:
        ended = await whole(self, block, look)
        return [
            arrived(row.result, row.entry, row.attempts)
            if row.result.state is TaskState.SUCCEEDED
            else one
            for row, one in zip(block, ended, strict=True)
        ]

    patch.setattr(Arrivals, "_seen", trusting)


def a_report_has_the_last_word(patch: Patch) -> None:
    """A failed task is told though its object has arrived."""
    whole = Arrivals._seen

    async def deaf(self: Arrivals, block: Sequence[OpenRow], look: int) -> list[Ended]:
        ended = await whole(self, block, look)
        return [
            one if is_expected(row.result) else refused(row.result, row.attempts)
            for row, one in zip(block, ended, strict=True)
        ]

    patch.setattr(Arrivals, "_seen", deaf)


def routed_on_too_early(patch: Patch) -> None:
    """A copy worker takes a key whose job may still deliver it."""

    def eager(entry: ManifestEntry, _outcome: Outcome) -> bool:
        return entry.route is Route.BATCH_REPLICATION

    patch.setattr(routing_on, "_is_terminal", eager)


def everything_is_tried_again(patch: Patch) -> None:
    """Rows that can never succeed are tried again."""

    def stubborn(result: TaskResult, *, was_stopped: bool) -> bool:
        return result.state is not TaskState.SUCCEEDED or was_stopped

    patch.setattr(attempts, "is_tried_again", stubborn)


def a_mend_changes_nothing(patch: Patch) -> None:
    """Rows that a person has mended are not tried again."""

    def resigned(result: TaskResult, *, was_stopped: bool) -> bool:
        assert was_stopped in (False, True), "it is told, and not listened to"
        return is_tried_again(result, was_stopped=False)

    patch.setattr(attempts, "is_tried_again", resigned)


MUTANTS = (
    Mutant(a_token_drawn_anew, Promise.JOBS),
    Mutant(no_intent_before_create, Promise.JOBS),
    Mutant(missing_rows_count_as_done, Promise.P4),
    Mutant(a_report_is_not_reconciled, Promise.P4),
    Mutant(complete_means_delivered, Promise.P4),
    Mutant(a_report_has_the_last_word, Promise.P4),
    Mutant(routed_on_too_early, Promise.ENGINE),
    Mutant(everything_is_tried_again, Promise.RETRIES),
    Mutant(a_mend_changes_nothing, Promise.RETRIES),
)


def broken(seed: int) -> list[Violation]:
    """Return what a seed breaks."""
    return batch_violations(simulate_batch(seed))


JOBS = Kind("jobs", broken, MUTANTS)
