"""A job's life: statuses, confirmation, cancelling, priorities, ends, lists and tags."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backfill.sandbox.model.batch_operations.faults import SLOW_DOWN, JobFaults, failing
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.jobs import (
    JobRequest,
    ListJobsRequest,
    PutJobTaggingRequest,
    UpdateJobPriorityRequest,
    UpdateJobStatusRequest,
)
from backfill.sandbox.model.roles import BATCH_OPERATIONS
from tests.unit.sandbox.batch_operations.works import OWN, REPORT, ROLE, Works

STEP_S = 60.0
ROWS = (("a", "null"), ("b", "null"), ("c", "null"))


def update(works: Works, job_id: str, status: str, reason: str | None = None) -> str:
    request = UpdateJobStatusRequest(
        account_id=OWN, job_id=job_id, requested_job_status=status, status_update_reason=reason
    )
    return works.jobs.update_job_status(works.own, request).status


def prioritise(works: Works, job_id: str, priority: int) -> int:
    request = UpdateJobPriorityRequest(account_id=OWN, job_id=job_id, priority=priority)
    return works.jobs.update_job_priority(works.own, request).priority


def refused(act: Any) -> str:
    with pytest.raises(S3Error) as caught:
        act()
    return caught.value.code


def test_a_job_passes_through_its_statuses_at_their_pace(ruled: Works) -> None:
    """If this fails, a poller meets another order of statuses than at AWS."""
    ruled.set(status_s=STEP_S, step_s=STEP_S, tasks_per_step=2)
    job_id = ruled.job_of(*ROWS)
    seen = [ruled.describe(job_id).status]
    done = []
    while ruled.jobs.next_due_at() is not None:
        job = ruled.run(job_id, STEP_S)
        seen.append(job.status)
        done.append(job.progress_summary.number_of_tasks_failed)
    assert seen == ["New", "Preparing", "Ready", "Active", "Active", "Completing", "Complete"]
    assert done == [0, 0, 0, 2, 3, 3]
    ended = ruled.describe(job_id)
    assert ended.progress_summary.elapsed_time_in_active_seconds == 2 * STEP_S
    assert ended.termination_date == ruled.now
    assert ended.failure_reasons == ()


def test_one_long_stride_is_as_good_as_many_short_ones(ruled: Works) -> None:
    """If this fails, a clock that jumps leaves jobs behind."""
    ruled.set(status_s=STEP_S, step_s=STEP_S, tasks_per_step=1)
    job_id = ruled.job_of(*ROWS)
    began = ruled.now
    job = ruled.run(job_id, 3600)
    assert job.status == "Complete"
    assert job.termination_date == began + timedelta(seconds=7 * STEP_S)


def test_a_job_to_be_confirmed_is_suspended_until_it_is(ruled: Works) -> None:
    """If this fails, jobs run that a person should have looked at first."""
    job_id = ruled.job_of(("k", "null"), is_confirmation_required=True)
    job = ruled.run(job_id, 3600)
    assert (job.status, job.suspended_cause) == ("Suspended", "AWAITING_CONFIRMATION")
    assert job.suspended_date is not None
    assert job.progress_summary.total_number_of_tasks == 1
    assert ruled.jobs.next_due_at() is None
    assert update(ruled, job_id, "Ready", "looked at") == "Ready"
    job = ruled.run(job_id)
    assert (job.status, job.status_update_reason) == ("Complete", "looked at")


def test_a_job_that_nobody_confirms_fails_after_30_days(ruled: Works) -> None:
    """If this fails, a forgotten job waits here for ever."""
    job_id = ruled.job_of(("k", "null"), is_confirmation_required=True)
    ruled.run(job_id)
    assert ruled.run(job_id, timedelta(days=30).total_seconds() - 1).status == "Suspended"
    assert ruled.run(job_id, 1).status == "Failed"
    assert "30 days" in ruled.failure(job_id)[1]


def test_a_job_is_forgotten_90_days_after_its_end_and_its_token_with_it(ruled: Works) -> None:
    """If this fails, tokens and jobs live longer here than at AWS."""
    request = ruled.request(b"")
    job_id = ruled.create(request)
    ruled.run(job_id)
    ruled.run(job_id, timedelta(days=90).total_seconds() - 1)
    ruled.now += timedelta(seconds=1)
    ruled.jobs.advance(ruled.now)
    assert refused(lambda: ruled.describe(job_id)) == "NoSuchJob"
    assert ruled.create(request) != job_id


@pytest.mark.parametrize("steps", range(5))
def test_a_job_is_cancelled_from_any_status_before_its_end(steps: int, ruled: Works) -> None:
    """If this fails, a wrong job cannot be stopped, or what it has done is not reported."""
    ruled.set(status_s=STEP_S, step_s=STEP_S, tasks_per_step=1)
    job_id = ruled.job_of(*ROWS)
    ruled.run(job_id, steps * STEP_S)
    assert update(ruled, job_id, "Cancelled") == "Cancelling"
    job = ruled.run(job_id, STEP_S)
    assert job.status == "Cancelled"
    has_run = job.progress_summary.number_of_tasks_failed
    assert has_run == max(0, steps - 3)
    assert any("manifest.json" in key for key in ruled.stored_keys()) is bool(has_run)
    if has_run:
        assert len(ruled.rows(job_id)) == has_run


@pytest.mark.parametrize("status", ["Ready", "Cancelled"])
def test_a_job_that_has_ended_changes_no_more(status: str, ruled: Works) -> None:
    """If this fails, a finished job can be run again."""
    job_id = ruled.job_of(("k", "null"))
    ruled.run(job_id)
    assert refused(lambda: update(ruled, job_id, status)) == "JobStatusException"
    assert refused(lambda: prioritise(ruled, job_id, 1)) == "InvalidRequest"
    assert ruled.describe(job_id).status == "Complete"


def test_only_ready_and_cancelled_can_be_asked_for(ruled: Works) -> None:
    """If this fails, clients can put jobs into statuses that only S3 gives."""
    job_id = ruled.job_of(("k", "null"))
    assert refused(lambda: update(ruled, job_id, "Ready")) == "JobStatusException"  # not suspended
    assert refused(lambda: update(ruled, job_id, "Complete")) == "InvalidRequest"
    assert refused(lambda: update(ruled, job_id, "Cancelled", "r" * 257)) == "InvalidRequest"
    assert ruled.describe(job_id).status == "New"


def test_a_higher_priority_pauses_the_weakest_job(ruled: Works) -> None:
    """If this fails, jobs of a higher priority wait behind others, or more run than may."""
    ruled.set(active_jobs_count=2, step_s=STEP_S, tasks_per_step=1)
    strong, weak = (ruled.job_of(*ROWS, priority=priority) for priority in (5, 1))
    ruled.run(weak)
    also_weak = ruled.job_of(*ROWS, priority=1)
    assert ruled.run(also_weak).status == "Ready"
    urgent = ruled.job_of(*ROWS, priority=9)
    ruled.run(urgent)
    statuses = [ruled.describe(one).status for one in (strong, weak, also_weak, urgent)]
    assert statuses == ["Active", "Paused", "Ready", "Active"]
    assert prioritise(ruled, also_weak, 2**31 - 1) == 2**31 - 1
    ruled.run(also_weak)
    assert [ruled.describe(one).status for one in (strong, also_weak)] == ["Paused", "Active"]
    ruled.run(weak, 3600)
    assert {ruled.describe(one).status for one in (strong, weak, also_weak, urgent)} == {"Complete"}
    assert ruled.jobs.next_due_at() is None


@pytest.mark.parametrize(
    ("tasks", "failing_tasks", "status"),
    [(10, 10, "Failed"), (10, 6, "Failed"), (10, 5, "Complete"), (9, 9, "Complete")],
)
def test_more_than_half_failed_fails_a_job_only_from_so_many_tasks_on(
    tasks: int, failing_tasks: int, status: str, ruled: Works
) -> None:
    """If this fails, "Complete" means more here than at AWS: a small job may fail wholly."""
    ruled.set(failure_threshold_tasks=10)
    assert ruled.jobs.settings.failure_threshold_tasks == 10
    rows = [(f"n{number}", ruled.put(f"n{number}")) for number in range(tasks)]  # under way
    bad = failing(SLOW_DOWN, keys={f"n{number}" for number in range(failing_tasks)})
    ruled.jobs.fault_hook = lambda _number, _request: JobFaults(task=bad)
    job_id = ruled.job_of(*rows)
    job = ruled.run(job_id)
    assert job.status == status
    assert job.progress_summary.number_of_tasks_failed == failing_tasks
    assert job.progress_summary.number_of_tasks_succeeded == tasks - failing_tasks
    assert len(ruled.rows(job_id)) == tasks
    if status == "Failed":
        assert "50%" in job.failure_reasons[0].failure_reason


def test_the_threshold_is_a_thousand_tasks(works: Works) -> None:
    """If this fails, jobs fail here earlier or later than at AWS."""
    assert works.jobs.settings.failure_threshold_tasks == 1000


def test_a_role_that_does_not_trust_batch_operations_fails_the_job(ruled: Works) -> None:
    """If this fails, a wrong trust policy is found out only at AWS."""
    ruled.model.world.roles.put(ROLE, ["s3.amazonaws.com"])
    assert ruled.failure(ruled.job_of(("k", "null")))[0] == "AssumeRoleNotPermitted"
    ruled.model.world.roles.put(ROLE, ["s3.amazonaws.com", BATCH_OPERATIONS])
    job_id = ruled.job_of(("k", "null"))
    assert ruled.run(job_id).status == "Complete"


def test_jobs_are_listed_newest_first_in_pages(ruled: Works) -> None:
    """If this fails, a lookup by pages misses jobs, and makes them twice."""
    ids = [ruled.job_of(("k", "null"), description=f"job {number}") for number in range(5)]
    ruled.run(ids[0])
    waiting = ruled.job_of(("k", "null"))
    found: list[str] = []
    token: str | None = None
    pages = 0
    while pages == 0 or token is not None:
        request = ListJobsRequest(
            account_id=OWN, job_statuses=("Complete", "Failed"), max_results=2, next_token=token
        )
        page = ruled.jobs.list_jobs(ruled.own, request)
        found += [job.job_id for job in page.jobs]
        token = page.next_token
        pages += 1
    assert (found, pages) == (ids[::-1], 3)
    everything = ruled.jobs.list_jobs(ruled.own, ListJobsRequest(account_id=OWN)).jobs
    assert [job.job_id for job in everything] == [waiting, *ids[::-1]]
    assert everything[1].description == "job 4"
    assert everything[1].operation == "S3ReplicateObject"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"next_token": "elsewhere"}, "InvalidNextTokenException"),
        ({"max_results": 1001}, "InvalidRequest"),
        ({"max_results": -1}, "InvalidRequest"),
        ({"job_statuses": ("Done",)}, "InvalidRequest"),
        ({"account_id": "222222222222"}, "AccessDenied"),
    ],
)
def test_a_wrong_list_request_is_refused(changes: dict[str, Any], code: str, works: Works) -> None:
    """If this fails, a wrong request for a list is taken for an empty list."""
    request = replace(ListJobsRequest(account_id=OWN), **changes)
    assert refused(lambda: works.jobs.list_jobs(works.own, request)) == code


def test_tags_are_put_told_and_removed_even_after_the_end(ruled: Works) -> None:
    """If this fails, a job cannot be found again by its tags."""
    job_id = ruled.job_of(("k", "null"), tags=(("run", "1"),))
    one = JobRequest(account_id=OWN, job_id=job_id)
    assert ruled.jobs.get_job_tagging(ruled.own, one).tags == (("run", "1"),)
    ruled.run(job_id)
    tags = (("run", "2"), ("stage", "execute"))
    request = PutJobTaggingRequest(account_id=OWN, job_id=job_id, tags=tags)
    ruled.jobs.put_job_tagging(ruled.own, request)
    assert ruled.jobs.get_job_tagging(ruled.own, one).tags == tags
    too_many = replace(request, tags=tuple((str(n), "") for n in range(51)))
    act = lambda: ruled.jobs.put_job_tagging(ruled.own, too_many)  # noqa: E731 - asked once
    assert refused(act) == "TooManyTagsException"
    ruled.jobs.delete_job_tagging(ruled.own, one)
    assert ruled.jobs.get_job_tagging(ruled.own, one).tags == ()


def calls(works: Works, job_id: str) -> dict[str, Any]:
    """Each operation on a job, by the action that it needs."""
    one = JobRequest(account_id=OWN, job_id=job_id)
    jobs, own = works.jobs, works.own
    tagging = PutJobTaggingRequest(account_id=OWN, job_id=job_id, tags=())
    return {
        "s3:DescribeJob": lambda: jobs.describe_job(own, one),
        "s3:ListJobs": lambda: jobs.list_jobs(own, ListJobsRequest(account_id=OWN)),
        "s3:UpdateJobPriority": lambda: prioritise(works, job_id, 3),
        "s3:PutJobTagging": lambda: jobs.put_job_tagging(own, tagging),
        "s3:GetJobTagging": lambda: jobs.get_job_tagging(own, one),
        "s3:DeleteJobTagging": lambda: jobs.delete_job_tagging(own, one),
        "s3:UpdateJobStatus": lambda: update(works, job_id, "Cancelled"),
    }


def test_each_operation_needs_its_own_permission_on_the_job(ruled: Works) -> None:
    """If this fails, a policy that is too small works here."""
    job_id = ruled.job_of(("k", "null"))
    before = ruled.describe(job_id)
    for action, call in calls(ruled, job_id).items():
        ruled.denied = {action}
        assert refused(call) == "AccessDenied", action
    ruled.denied = set()
    assert ruled.describe(job_id) == before
    for action, call in calls(ruled, job_id).items():
        ruled.asked.clear()
        call()
        assert [one.action for one in ruled.asked] == [action]
        about_job = action != "s3:ListJobs"
        assert ruled.asked[0].resource_arn == (ruled.job(job_id).arn if about_job else "*")
        existing = {"s3:ExistingJobPriority", "s3:ExistingJobOperation"} if about_job else set()
        assert existing <= {name for name, _ in ruled.asked[0].conditions}


def test_a_job_is_known_only_in_its_region(ruled: Works) -> None:
    """If this fails, a client that asks the wrong Region finds what AWS would not show it."""
    job_id = ruled.job_of(("k", "null"))
    elsewhere = replace(ruled.own, region="eu-west-1")
    one = JobRequest(account_id=OWN, job_id=job_id)
    assert refused(lambda: ruled.jobs.describe_job(elsewhere, one)) == "NoSuchJob"
    assert ruled.jobs.list_jobs(elsewhere, ListJobsRequest(account_id=OWN)).jobs == ()
    assert refused(lambda: ruled.describe("no-such-job")) == "NoSuchJob"


def test_a_job_tells_what_was_asked(ruled: Works) -> None:
    """If this fails, DescribeJob hides what a crashed client needs to know its job again."""
    job_id = ruled.job_of(("k", "null"), description="what for")
    job = ruled.describe(job_id)
    assert job.job_arn == f"arn:aws:s3:us-east-1:{OWN}:job/{job_id}"
    assert (job.description, job.priority, job.role_arn) == ("what for", 10, ROLE)
    assert job.report == REPORT
    assert job.manifest == ruled.job(job_id).request.manifest
    assert len(job_id) == 36
