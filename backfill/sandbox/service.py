"""The sandbox as one thing: model, identities, authorization, clock and HTTP server in a thread.

    with Sandbox(seed=1) as sandbox:
        client = boto3.client("s3", **sandbox.client_settings("source"))
        jobs = boto3.client(
            "s3control",
            **sandbox.control_settings("source"),
            config=Config(proxies=sandbox.control_proxies),
        )
        with sandbox.held() as model:          # the server waits meanwhile
            model.world.buckets[...]

Never listens on anything but loopback, and has no administrative HTTP interface: whoever may
administer it is in this process. One law: outside `held()` only the server's thread touches the
model.
"""

import asyncio
import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from backfill.sandbox.accounts import ACCOUNTS, DESTINATION, REGIONS, SOURCE, Account
from backfill.sandbox.authorization.decision import Authorization
from backfill.sandbox.authorization.identities import Directory, Identity
from backfill.sandbox.authorization.policies import identity_policy
from backfill.sandbox.doors import HOST, Doors
from backfill.sandbox.http.faults import FaultHook
from backfill.sandbox.http.front import Front
from backfill.sandbox.http.messages import HttpLimits, HttpRequest, HttpResponse
from backfill.sandbox.http.protocol import Connection
from backfill.sandbox.model.batch_operations.settings import NO_DELAY, BatchSettings
from backfill.sandbox.model.limits import AWS_LIMITS, Limits
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.replication.settings import NO_LAG, ReplicationSettings
from backfill.sandbox.model.roles import BATCH_OPERATIONS, REPLICATION
from backfill.sandbox.services.iam.store import Role, trust_of
from backfill.sandbox.services.services import Services

__all__ = ["ACCOUNTS", "DESTINATION", "SOURCE", "Account", "Sandbox", "SandboxClock"]

_TICK_S = 0.02
"""How often what is due is carried out: well under any lag that a test sets."""
_START_TIMEOUT_S = 10.0


class SandboxClock:
    """The wall clock, moved by an offset that tests set; or standing still."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self.fixed: datetime | None = None

    def __call__(self) -> datetime:
        """The sandbox's time, aware, UTC."""
        return (self.fixed or datetime.now(UTC)) + self.offset


class Sandbox:
    """An embedded S3 with two accounts, started and stopped by its owner.

    `seed` settles version IDs, upload IDs and opaque ETags. `port` 0 takes a free one.
    `has_strict_accounts`: roles and KMS keys of the two accounts that nobody made do not exist,
    instead of being there with all permissions. `iam_settling_s`: how long after a change of IAM
    S3 and STS still go by the old state. `organization_id`: the AWS organization of both accounts.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a test may want otherwise
        self,
        *,
        seed: int = 0,
        port: int = 0,
        limits: Limits = AWS_LIMITS,
        http_limits: HttpLimits | None = None,
        replication: ReplicationSettings = NO_LAG,
        batch_operations: BatchSettings = NO_DELAY,
        has_strict_accounts: bool = False,
        iam_settling_s: float = 0.0,
        organization_id: str | None = None,
    ) -> None:
        self.clock = SandboxClock()
        self.directory = Directory()
        for account in ACCOUNTS.values():
            self.directory.add(account.root)
        self.model = S3Model(
            now=self.clock,
            random=Random(seed),  # noqa: S311 - a seed repeats a run; nothing here is secret
            limits=limits,
            replication=replication,
            batch_operations=batch_operations,
        )
        self.key_policies: dict[str, str] = {}
        """KMS key policies by key ARN, as JSON; a key without one has KMS's default policy."""
        self.model.world.keys.policies = self.key_policies
        self.authorization = Authorization(
            directory=self.directory,
            bucket_policy_of=self.model.bucket_policy,
            key_policy_of=self.key_policies.get,
            now=self.clock,
        )
        self.authorization.organization_id = organization_id
        if has_strict_accounts:
            own = frozenset(account.account_id for account in ACCOUNTS.values())
            self.authorization.strict_accounts = own
            self.model.world.roles.strict_accounts = own
            self.model.world.keys.strict_accounts = own
        self.model.set_authorize(self.authorization)
        self.services = Services(
            authorization=self.authorization,
            directory=self.directory,
            world=self.model.world,
            key_policies=self.key_policies,
            endpoint_url=lambda: self.endpoint_url,
            settling_s=iam_settling_s,
        )
        world = self.model.world
        world.notify = self.services.deliver
        world.may_notify = self.services.delivery_flaw
        world.measure = self.services.record
        self._front = Front(
            model=self.model,
            directory=self.directory,
            services=self.services,
            now=self.clock,
            regions=REGIONS,
        )
        self._lock = threading.RLock()
        self._port = port
        self._http_limits = http_limits or HttpLimits()
        self._connections: set[Connection] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    # --- life ---

    def start(self) -> Self:
        """Listen, in a thread with an event loop of its own. Returns when the port is open."""
        assert self._thread is None, "started already"
        is_ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(is_ready,), name="sandbox", daemon=True
        )
        self._thread.start()
        if not is_ready.wait(_START_TIMEOUT_S):
            raise TimeoutError("the sandbox did not start")
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close every connection and the port. The model stays as it is."""
        if self._thread is None:
            return
        assert self._loop is not None
        assert self._stop is not None
        with suppress(RuntimeError):  # the loop may have ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, is_ready: threading.Event) -> None:
        try:
            asyncio.run(self.serve(is_ready))
        except OSError as error:  # the port is taken
            self._failure = error
            is_ready.set()

    async def serve(self, is_ready: threading.Event | None = None) -> None:
        """Serve in the running loop until `stop` is called or the task is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await self._loop.create_server(self._connection, HOST, self._port)
        self._port = server.sockets[0].getsockname()[1]
        try:
            async with asyncio.TaskGroup() as tasks:
                ticking = tasks.create_task(self._tick())
                if is_ready is not None:
                    is_ready.set()
                await self._stop.wait()
                ticking.cancel()
        finally:
            server.close()
            for connection in tuple(self._connections):
                connection.close()
            await server.wait_closed()

    def _connection(self) -> Connection:
        return Connection(self._answer, self._connections, self._http_limits)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            return self._front.answer(request)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.advance()

    # --- administration, in process only ---

    @contextmanager
    def held(self) -> Iterator[S3Model]:
        """The model for this thread alone: the server answers nobody meanwhile."""
        with self._lock:
            yield self.model

    def advance(self) -> None:
        """Carry out the live replication and the jobs that are due by the sandbox's clock."""
        with self._lock:
            now = self.clock()
            self.services.settle(now)
            self.model.batch_operations.advance(now)
            self.model.replication.advance(now)

    def add_user(self, account: str, name: str, *policies: str) -> Identity:
        """Make an IAM user with identity policies (JSON), or replace the one of that name.

        The keys follow from the names, so a repeated run has the same ones. Anything else, such
        as a role's session with a token, is added with `directory.add`.
        """
        account_id = ACCOUNTS[account].account_id
        digest = hashlib.sha256(f"{account_id}/{name}".encode()).hexdigest()
        user = Identity(
            account_id=account_id,
            arn=f"arn:aws:iam::{account_id}:user/{name}",
            user_id=f"AIDA{digest[:17].upper()}",
            access_key_id=f"AKIA{digest[:16].upper()}",
            secret_access_key=digest[:40],
            policies=tuple(identity_policy(policy) for policy in policies),
        )
        with self._lock:
            self.directory.add(user)
        return user

    def add_role(
        self,
        account: str,
        name: str,
        *policies: str,
        trusts: Iterable[str] = (BATCH_OPERATIONS, REPLICATION),
    ) -> str:
        """Make an IAM role, or replace the one of that name; returns its ARN.

        `policies` are identity policies (JSON), `trusts` the services that may assume it: by
        default both that act on replication. It counts at once, and IAM shows it. A role that
        nobody made may do everything and trusts everybody, unless accounts are strict.
        """
        account_id = ACCOUNTS[account].account_id
        arn = f"arn:aws:iam::{account_id}:role/{name}"
        digest = hashlib.sha256(arn.encode()).hexdigest()
        role = Role(
            account_id=account_id,
            name=name,
            path="/",
            role_id=f"AROA{digest[:17].upper()}",
            trust=trust_of(account_id, trusts),
            created_at=self.clock(),
            inline={f"policy-{number}": policy for number, policy in enumerate(policies, 1)},
        )
        with self._lock:
            self.services.adopt_role(role)
        return arn

    def set_fault_hook(self, hook: FaultHook) -> None:
        """Consult this hook on every request from now on, but on those who ask who they are.

        It runs in the server's thread.
        """
        with self._lock:
            self._front.fault_hook = hook

    def calls(self) -> dict[str, int]:
        """How many authentic requests each operation has had so far."""
        with self._lock:
            return dict(self._front.calls)

    # --- how to reach it ---

    @property
    def port(self) -> int:
        """The port, known once it has started."""
        return self._port

    @property
    def _doors(self) -> Doors:
        return Doors(port=self._port)

    @property
    def endpoint_url(self) -> str:
        """Of S3 and STS alike."""
        return self._doors.endpoint_url

    @property
    def control_proxies(self) -> dict[str, str]:
        """`Config(proxies=...)` for a boto3 client of S3 Control, beside `control_settings`."""
        return {"http": self.endpoint_url}

    def client_settings(self, who: str | Identity) -> dict[str, str]:
        """Keyword arguments for a boto3 client signed by an account's root or an identity."""
        return self._doors.client_settings(_identity(who))

    def control_settings(self, who: str | Identity) -> dict[str, str]:
        """Keyword arguments for a boto3 client of `s3control`, which needs `control_proxies` too.

        `region_name` is the account's; a job lives in the Region that its client names.
        """
        return self._doors.control_settings(_identity(who))

    def environment(self, who: str | Identity) -> dict[str, str]:
        """Environment variables with which aws cli, boto3 and other SDKs talk to the sandbox.

        `who` is `source` or `destination` for that account's root, or an identity.
        """
        return self._doors.environment(_identity(who))

    def write_profiles(self, folder: Path) -> dict[str, str]:
        """Write `config` and `credentials` with the profiles `source` and `destination`.

        Returns the environment variables that make SDKs read them and find S3 Control.
        """
        return self._doors.write_profiles(folder)


def _identity(who: str | Identity) -> Identity:
    return ACCOUNTS[who].root if isinstance(who, str) else who
