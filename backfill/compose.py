"""The one place where adapters are built and joined to the ports, with `this_machine` below it.

Never decides what to do with them: the pipeline does.
Law: nothing else constructs an adapter of aws, journal, observe or run_directory for the product.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TextIO

from backfill.aws.accounts_writing import AwsAccountWriter
from backfill.aws.assumed_role import AssumedRole
from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.batch_operations import S3BatchOperations
from backfill.aws.calls import Calls
from backfill.aws.canary_store import S3CanaryStore
from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.customer_keys import NO_KEYS, CustomerKeys, is_for_all, read_customer_keys
from backfill.aws.gated_calls import GatedCalls
from backfill.aws.lean.calls import LeanCalls
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.pace import Pace, PacedCalls
from backfill.aws.retry import ReadRetries, RetryingControlPlane, RetryingStore
from backfill.aws.session import AwsSession, Connection
from backfill.aws.watching import AwsWatching
from backfill.campaign import Access, Campaign, Client
from backfill.events.calls import CustomerKeysOpen
from backfill.model.pauses import Pauses, RetryBudget
from backfill.observe import LogOptions, StructuredEvents, open_events
from backfill.ports import (
    BatchBucket,
    BatchOperations,
    ControlPlane,
    Events,
    ObjectStore,
)
from backfill.ports.accounts import AccountReader, AccountWriter, Watching
from backfill.ports.canary import CanaryStore
from backfill.ports.run_store import WriteGate
from backfill.settings import Settings
from backfill.this_machine import (
    Machine,
    has_journal,
    held,
    joined,
    journal,
    looked_at,
    machine,
    written_outcomes,
)

__all__ = [
    "Account",
    "AccountClients",
    "Clients",
    "Machine",
    "account_client",
    "account_clients",
    "clients",
    "destination_connection",
    "has_journal",
    "held",
    "joined",
    "journal",
    "looked_at",
    "machine",
    "source_connection",
    "talking",
    "written_outcomes",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Both identities' views of S3. `budget` bounds the retries of the whole process.

    `pace` is that of the hot and the other calls of both; None: nothing paces them.
    What concerns Batch Operations opens no client before its first call.
    """

    source: ObjectStore
    destination: ObjectStore
    source_control: ControlPlane
    destination_control: ControlPlane
    source_batch: BatchOperations
    destination_batch: BatchOperations
    source_batch_bucket: BatchBucket
    destination_batch_bucket: BatchBucket
    pauses: Pauses
    budget: RetryBudget
    pace: Pace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One identity's view of its account's control plane; no client is open before its first call.

    `reader` and `writer` are one and the same: who only reads is given the narrower port.
    """

    reader: AccountReader
    writer: AccountWriter
    watching: Watching
    control: ControlPlane
    canary: CanaryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClients:
    """Both identities' accounts."""

    source: Account
    destination: Account


@contextmanager
def talking(
    options: LogOptions, *, run_id: str, here: Machine, stream: TextIO
) -> Iterator[StructuredEvents]:
    """Give the Events port of a run."""
    with open_events(options, run_id=run_id, clock=here.clock, stream=stream) as events:
        if here.pulse is not None:
            here.pulse.watch(lambda: events.told)
        yield events


@asynccontextmanager
async def clients(campaign: Campaign, here: Machine, events: Events) -> AsyncIterator[Clients]:
    """Open both identities' clients, and close them at the end.

    Raises:
        UsageError: The endpoint is plain http and not on loopback.
        CredentialsError: A profile does not exist.
        CampaignError: The file of customer keys cannot be read, or holds something else.
    """
    settings = campaign.settings
    retries = _read_retries(settings, here, events)
    pace = Pace(
        clock=here.clock,
        events=events,
        requests_per_second_max=settings.requests_per_second_max,
    )
    if here.pulse is not None:
        here.pulse.watch(lambda: pace.sent, under_way=lambda: pace.under_way)
    async with AsyncExitStack() as stack:
        build = _Builder(
            stack=stack,
            client=campaign.access.client,
            events=events,
            retries=retries,
            pace=pace,
            keys=_customer_keys(campaign.access.customer_key_file, events),
            gate=here.gate,
        )
        source = await build.side(source_connection(campaign.access, settings))
        destination = await build.side(destination_connection(campaign.access, settings))
        yield Clients(
            source=source.store,
            destination=destination.store,
            source_control=source.control,
            destination_control=destination.control,
            source_batch=source.batch,
            destination_batch=destination.batch,
            source_batch_bucket=source.batch_bucket,
            destination_batch_bucket=destination.batch_bucket,
            pauses=retries.pauses,
            budget=retries.budget,
            pace=pace,
        )


@asynccontextmanager
async def account_clients(
    access: Access, settings: Settings, here: Machine, events: Events
) -> AsyncIterator[AccountClients]:
    """Open both identities' views of their accounts, and close them at the end.

    Raises:
        UsageError, CredentialsError: See `clients`.
    """
    retries = _read_retries(settings, here, events)
    async with (
        _account(source_connection(access, settings), retries, events) as source,
        _account(destination_connection(access, settings), retries, events) as destination,
    ):
        yield AccountClients(source=source, destination=destination)


@asynccontextmanager
async def account_client(
    connection: Connection, settings: Settings, here: Machine, events: Events
) -> AsyncIterator[Account]:
    """Open one identity's view alone, so that the other's credentials need not be there."""
    async with _account(connection, _read_retries(settings, here, events), events) as account:
        yield account


@asynccontextmanager
async def _account(
    connection: Connection, retries: ReadRetries, events: Events
) -> AsyncIterator[Account]:
    async with AwsSession(connection) as session:
        calls = Calls(session, events)
        writer = AwsAccountWriter(calls, retries)
        yield Account(
            reader=writer,
            writer=writer,
            watching=AwsWatching(calls, retries),
            control=RetryingControlPlane(S3ControlPlane(calls), retries),
            canary=S3CanaryStore(calls),
        )


def _customer_keys(path: str, events: Events) -> CustomerKeys:
    """Read the keys of SSE-C objects; they go nowhere but into the two stores.

    No endpoint gets one in clear text: a session refuses plain http but to loopback.
    """
    if not path:
        return NO_KEYS
    if is_for_all(path):
        events.emit(CustomerKeysOpen(path=path, hint="chmod 600, or give it to you alone"))
    return read_customer_keys(path)


def _read_retries(settings: Settings, here: Machine, events: Events) -> ReadRetries:
    return ReadRetries(
        attempts_max=settings.control_attempts_max,
        pauses=Pauses(base_s=settings.retry_base_s, cap_s=settings.retry_cap_s),
        budget=RetryBudget(ratio=settings.retry_budget_ratio, floor=settings.retry_budget_floor),
        clock=here.clock,
        random=here.random,
        events=events,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One identity."""

    store: ObjectStore
    control: ControlPlane
    batch: BatchOperations
    batch_bucket: BatchBucket


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    stack: AsyncExitStack
    client: Client
    events: Events
    retries: ReadRetries
    pace: Pace
    keys: CustomerKeys
    gate: WriteGate | None

    async def side(self, connection: Connection) -> _Side:
        session = await self.stack.enter_async_context(AwsSession(connection))
        calls: Calls = PacedCalls(self._behind_gate(Calls(session, self.events)), self.pace)
        hot_calls = calls
        if self.client is not Client.SDK:
            hot_calls = PacedCalls(self._behind_gate(LeanCalls(session, self.events)), self.pace)
        return _Side(
            store=RetryingStore(S3ObjectStore(hot_calls, self.keys), self.retries),
            control=RetryingControlPlane(S3ControlPlane(calls), self.retries),
            batch=S3BatchOperations(calls, self.retries),
            batch_bucket=S3BatchBucket(calls, self.retries),
        )

    def _behind_gate(self, calls: Calls) -> Calls:
        return GatedCalls(calls, self.gate) if self.gate is not None else calls


def source_connection(access: Access, settings: Settings) -> Connection:
    """Return how the source's identity connects."""
    role = _role(access, access.source_role_arn, access.source_external_id)
    return _connection(access, access.source_profile, role, settings)


def destination_connection(access: Access, settings: Settings) -> Connection:
    """Return how the destination's identity connects."""
    role = _role(access, access.destination_role_arn, access.destination_external_id)
    return _connection(access, access.destination_profile, role, settings)


def _role(access: Access, arn: str, external_id: str) -> AssumedRole | None:
    if not arn:
        return None
    return AssumedRole(arn=arn, session_name=access.role_session_name, external_id=external_id)


def _connection(
    access: Access, profile: str, role: AssumedRole | None, settings: Settings
) -> Connection:
    return Connection(
        profile=profile or None,
        role=role,
        region=access.region or None,
        endpoint_url=access.endpoint_url or None,
        concurrency=settings.concurrency + settings.parts_in_flight_max,
    )
