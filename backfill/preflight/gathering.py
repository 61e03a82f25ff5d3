"""Reads both accounts, once, and gives what was found as evidence; several reads at a time.

Never writes, never judges, and never fails because something is denied: that is evidence, too.
Law: every read has one place here, so that preflight stays as quick as its slowest few reads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from backfill.campaign import Campaign
from backfill.errors import BackfillError, CampaignError, StoreFault
from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    RawDocument,
    SimulatedEffect,
    SimulationRequest,
    Unread,
)
from backfill.model.places import BucketPlace
from backfill.plan.configuration import parse_configuration, rules_of_campaign
from backfill.plan.rules import Rules
from backfill.ports import Clock, ControlPlane
from backfill.ports.accounts import AccountReader
from backfill.preflight.evidence import (
    NOT_ASKED,
    BucketEvidence,
    Counts,
    Gathered,
    KeyEvidence,
    RoleEvidence,
    Simulation,
    default_key,
    receiver_arns,
)
from backfill.preflight.job_places import may_have_jobs
from backfill.preflight.members import members, text
from backfill.preflight.permissions import simulation_requests

READS_AT_ONCE: Final = 8
"""IAM and KMS throttle at some tens of requests a second for an account (IAM, KMS: quotas)."""

SOURCE_DOCUMENTS: Final = tuple(
    document for document in BucketDocument if document is not BucketDocument.PUBLIC_ACCESS_BLOCK
)
DESTINATION_DOCUMENTS: Final = (
    BucketDocument.POLICY,
    BucketDocument.VERSIONING,
    BucketDocument.ENCRYPTION,
    BucketDocument.OWNERSHIP,
    BucketDocument.OBJECT_LOCK,
    BucketDocument.LIFECYCLE,
    BucketDocument.PUBLIC_ACCESS_BLOCK,
    BucketDocument.REQUEST_PAYMENT,
)
BATCH_BUCKET_DOCUMENTS: Final = (BucketDocument.POLICY, BucketDocument.OBJECT_LOCK)
"""Not its encryption: manifests are uploaded under SSE-S3 whatever the bucket's default says."""
NOT_AWS: Final = Unread(operation="", code="NotAWS", message="the endpoint is not AWS's")
_UNSUPPORTED: Final = frozenset({"NotImplemented", "501"})
"""How stores that are not AWS answer about features that they do not have; AWS never does."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Both accounts as the campaign's two identities see them."""

    source: AccountReader
    destination: AccountReader
    source_control: ControlPlane
    destination_control: ControlPlane
    clock: Clock


async def gather(campaign: Campaign, views: Views, counts: Counts | None = None) -> Gathered:
    """Return all evidence about a campaign; `counts` is what an inventory holds."""
    reading = _Reading(campaign, views)
    return replace(await reading.everything(), counts=counts)


class _Reading:
    """One gathering: the reads that are under way share one bound."""

    def __init__(self, campaign: Campaign, views: Views) -> None:
        self._campaign = campaign
        self._views = views
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._is_aws = may_have_jobs(campaign.access.endpoint_url)

    async def everything(self) -> Gathered:
        """Read in the few steps in which one answer names the next question."""
        views, campaign = self._views, self._campaign
        async with asyncio.TaskGroup() as tasks:
            callers = [
                tasks.create_task(self._read(view.caller))
                for view in (views.source, views.destination)
            ]
            at_source = tasks.create_task(self._region(campaign.source_bucket, source=True))
            times = tasks.create_task(
                self._read(lambda: views.source_control.server_time(campaign.source_bucket))
            )
            named = tasks.create_task(
                self._read(lambda: views.source_control.store_name(campaign.source_bucket))
            )
        ours, theirs = (task.result() for task in callers)
        source = BucketEvidence(
            name=campaign.source_bucket,
            region=at_source.result(),
            account_id=campaign.source_owner or _account(ours),
        )
        source = await self._documents(source, views.source, SOURCE_DOCUMENTS)
        rules, problem = _rules(campaign, source)
        name = named.result()
        known = Gathered(
            campaign=campaign,
            is_aws=self._is_aws,
            now=views.clock.now(),
            source=source,
            server_time=times.result(),
            store_name=name if isinstance(name, str) else "",
            source_caller=ours,
            destination_caller=theirs,
            rules=rules,
            rules_problem=problem,
        )
        return await self._rest(known)

    async def _rest(self, known: Gathered) -> Gathered:
        rules, campaign = known.rules, self._campaign
        async with asyncio.TaskGroup() as tasks:
            destinations = [
                tasks.create_task(self._destination(known, bucket))
                for bucket in _destination_buckets(known)
            ]
            role = tasks.create_task(self._role(rules.role if rules else "", known))
            wants_jobs = known.wants_jobs
            batch_role = tasks.create_task(
                self._role(campaign.batch.role_arn if wants_jobs else "", known)
            )
            caller = known.source_caller
            is_asked = wants_jobs or campaign.restore is not None
            is_role = isinstance(caller, CallerIdentity) and is_asked
            own_arn = caller.role_arn if isinstance(caller, CallerIdentity) and is_role else ""
            caller_role = tasks.create_task(self._role(own_arn, known))
            batch_bucket = tasks.create_task(
                self._batch_bucket(campaign.batch.bucket if wants_jobs else "", known)
            )
            receivers = {
                arn: tasks.create_task(self._receiver(arn)) for arn in receiver_arns(known.source)
            }
        known = replace(
            known,
            destinations=tuple(task.result() for task in destinations),
            role=role.result(),
            caller_role=caller_role.result(),
            batch_role=batch_role.result(),
            batch_bucket=batch_bucket.result(),
            receivers={arn: task.result() for arn, task in receivers.items()},
        )
        async with asyncio.TaskGroup() as tasks:
            keys = {
                name: tasks.create_task(self._key(arn, known)) for name, arn in _key_arns(known)
            }
        known = replace(known, keys={name: task.result() for name, task in keys.items()})
        return replace(known, simulations=await self._simulations(known))

    async def _destination(self, known: Gathered, bucket: str) -> BucketEvidence:
        """Read a destination; if its owner is not the one that is said, as that of who reads."""
        campaign, theirs = self._campaign, _account(known.destination_caller)
        said = campaign.destination_owner
        if not said and known.rules is not None:
            said = _owner_of(known.rules, bucket)
        region = await self._region(bucket, source=False)
        evidence = BucketEvidence(name=bucket, region=region, account_id=said or theirs)
        wanted: tuple[BucketDocument, ...] = DESTINATION_DOCUMENTS
        if any(rule.replicates_modifications for rule in known.rules_to(bucket)):
            wanted = (*wanted, BucketDocument.REPLICATION)
        read = await self._documents(evidence, self._views.destination, wanted)
        if read.is_owner_proven or not theirs or theirs == read.account_id:
            return read
        otherwise = await self._documents(
            replace(evidence, account_id=theirs), self._views.destination, wanted
        )
        return otherwise if otherwise.is_owner_proven else read

    async def _batch_bucket(self, bucket: str, known: Gathered) -> BucketEvidence | None:
        if not bucket:
            return None
        region = await self._region(bucket, source=True)
        evidence = BucketEvidence(name=bucket, region=region, account_id=known.source.account_id)
        return await self._documents(evidence, self._views.source, BATCH_BUCKET_DOCUMENTS)

    async def _documents(
        self, bucket: BucketEvidence, reader: AccountReader, wanted: Iterable[BucketDocument]
    ) -> BucketEvidence:
        if not isinstance(bucket.region, str) or not bucket.account_id:
            return bucket
        place = BucketPlace(
            bucket=bucket.name,
            region=bucket.region,
            expected_owner=bucket.account_id,
            owner_origin="preflight",
        )
        async with asyncio.TaskGroup() as tasks:
            reads = {
                document: tasks.create_task(self._document(reader, place, document))
                for document in wanted
            }
        return replace(bucket, documents={each: task.result() for each, task in reads.items()})

    async def _document(
        self, reader: AccountReader, place: BucketPlace, document: BucketDocument
    ) -> RawDocument | Unread | None:
        found = await self._read(lambda: reader.bucket_document(place, document))
        # A store without the feature has nothing there; AWS has every one of them.
        is_lacking = isinstance(found, Unread) and found.code in _UNSUPPORTED
        return None if is_lacking else found

    async def _region(self, bucket: str, *, source: bool) -> str | Unread:
        views = self._views
        control = views.source_control if source else views.destination_control
        return await self._read(lambda: control.bucket_region(bucket))

    async def _role(self, arn: str, known: Gathered) -> RoleEvidence | None:
        if not arn:
            return None
        evidence = RoleEvidence(arn=arn, role=NOT_AWS)
        if not self._is_aws:
            return evidence
        reader = self._own_reader(evidence.account_id, known)
        if reader is None:
            return replace(evidence, role=_unseen(evidence.account_id))
        return replace(evidence, role=await self._read(lambda: reader.role(evidence.name)))

    def _own_reader(self, account_id: str, known: Gathered) -> AccountReader | None:
        """Return who is of an account: IAM knows roles by name, so another would find its own."""
        sides = (
            (known.source_caller, self._views.source),
            (known.destination_caller, self._views.destination),
        )
        return next((view for caller, view in sides if account_id == _account(caller)), None)

    async def _key(self, arn: str, known: Gathered) -> KeyEvidence:
        evidence = KeyEvidence(arn=arn, key=NOT_AWS, policy=NOT_ASKED)
        if not self._is_aws:
            return evidence
        reader = self._reader_of(evidence.account_id, known)
        key = await self._read(lambda: reader.kms_key(arn))
        evidence = replace(evidence, key=key)
        if key is None or isinstance(key, Unread) or key.managed_by == "AWS":
            return evidence
        policy = await self._read(lambda: reader.key_policy(key.arn))
        return replace(evidence, policy=policy)

    def _reader_of(self, account_id: str, known: Gathered) -> AccountReader:
        """Return who sees an account: the source's identity where it is its own."""
        is_ours = account_id == _account(known.source_caller)
        return self._views.source if is_ours else self._views.destination

    async def _receiver(self, arn: str) -> RawDocument | Unread | None:
        if not self._is_aws:
            return NOT_AWS
        return await self._read(lambda: self._views.source.event_destination_policy(arn))

    async def _simulations(self, known: Gathered) -> Mapping[Simulation, SimulatedEffect]:
        """Ask IAM's simulator about the roles; nothing where the first question is denied."""
        requests = simulation_requests(known) if self._is_aws else ()
        answers: dict[Simulation, SimulatedEffect] = {}
        for request in requests:
            told = await self._read(partial(self._simulated, request))
            if isinstance(told, Unread):
                return {}
            answers.update(told)
        return answers

    async def _simulated(self, request: SimulationRequest) -> Mapping[Simulation, SimulatedEffect]:
        answers = await self._views.source.simulated(request)
        return {
            Simulation(
                principal_arn=request.principal_arn,
                action=answer.action,
                resource_arn=request.resource_arn,
            ): answer.effect
            for answer in answers
            if not answer.missing_context_keys
        }

    async def _read(self, ask: Callable[[], Awaitable[T]]) -> T | Unread:
        async with self._turns:
            try:
                return await ask()
            except StoreFault as fault:
                code = "NoSuchBucket" if _is_missing_bucket(fault) else fault.code
                return Unread(operation=fault.operation, code=code, message=fault.message)
            except BackfillError as error:
                return Unread(operation="", code=type(error).__name__, message=error.message)


def _is_missing_bucket(fault: StoreFault) -> bool:
    return fault.operation == "HeadBucket" and fault.status == 404


def _account(caller: CallerIdentity | Unread) -> str:
    return caller.account_id if isinstance(caller, CallerIdentity) else ""


def _rules(campaign: Campaign, source: BucketEvidence) -> tuple[Rules | None, str]:
    try:
        if campaign.destination is not None:
            return rules_of_campaign(campaign.destination, campaign.scope), ""
        fields = source.fields(BucketDocument.REPLICATION)
        if fields is None or isinstance(fields, Unread):
            return None, ""
        return parse_configuration(fields), ""
    except CampaignError as error:
        return None, error.message


def _owner_of(rules: Rules, bucket: str) -> str:
    try:
        return rules.owner_of(bucket)
    except CampaignError:
        return ""


def _unseen(account_id: str) -> Unread:
    said = f"no identity here is of account {account_id}"
    return Unread(operation="GetRole", code="AnotherAccount", message=said)


def _destination_buckets(known: Gathered) -> tuple[str, ...]:
    """Return the destinations of the enabled rules; of all rules where none is enabled."""
    if known.rules is not None:
        every = {rule.destination.bucket for rule in known.rules.rules}
        return known.rules.destination_buckets() or tuple(sorted(every))
    fields = known.source.fields(BucketDocument.REPLICATION)
    arns = {text(rule, "Destination", "Bucket") for rule in members(fields, "Rules")}
    return tuple(sorted(arn.rpartition(":")[2] for arn in arns if arn))


def _key_arns(known: Gathered) -> Iterable[tuple[str, str]]:
    """Give every key that a document names, with the ARN that it means."""
    caller = known.source_caller
    partition = caller.partition if isinstance(caller, CallerIdentity) else "aws"
    named: dict[str, str] = {}
    for destination in known.destinations:
        for rule in known.rules_to(destination.name):
            # A bare ID means a key of the source's account in the destination's Region.
            key = rule.destination.replica_kms_key
            named.setdefault(key, _arn(key, known.source, destination.region_name, partition))
    for bucket in (known.source, *known.destinations):
        if key := default_key(bucket):
            named.setdefault(key, _arn(key, bucket, bucket.region_name, partition))
    return [(name, arn) for name, arn in named.items() if name]


def _arn(key: str, of: BucketEvidence, region: str, partition: str) -> str:
    if not key or key.startswith("arn:"):
        return key
    resource = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{partition}:kms:{region}:{of.account_id}:{resource}"
