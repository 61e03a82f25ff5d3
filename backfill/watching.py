"""Opening a watch: the source account's clients, the ledger of its bucket, a place for manifests.

Never takes a run's lock: a watch goes on for weeks, beside the runs of the same directory.
Law: one process watches a directory; its lock, ledger and manifests lie in `watch/` there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from backfill.campaign import Campaign
from backfill.compose import Machine, account_clients, clients, machine
from backfill.errors import UsageError
from backfill.ports import Events
from backfill.run_directory.durable import replaced_file
from backfill.watch.event_queues import is_queue
from backfill.watch.ledger import Ledger
from backfill.watch.manifests import ManifestPlace, ManifestSizes
from backfill.watch.run import Watch, WatchPorts, find_watched

FOLDER = "watch"
LEDGER_FILE = "ledger.sqlite"


def watch_machine(run_directory: Path) -> Machine:
    """Return this machine's side of the watch of a run directory."""
    return machine(run_directory / FOLDER)


@asynccontextmanager
async def opened_watch(
    campaign: Campaign, here: Machine, events: Events, *, queue_arn: str, manifest_file: str
) -> AsyncIterator[Watch]:
    """Find what there is to watch and open its ledger; `here` is held.

    Empty, `queue_arn` is found in the bucket's notification configuration, and the manifest goes
    into `watch/manifest/`.

    Raises:
        UsageError: `queue_arn` is none of a queue, or `manifest_file` names no file.
        RefusedError, CampaignError, StoreFault: See `find_watched` and `Ledger.open`.
    """
    if queue_arn and not is_queue(queue_arn):
        raise UsageError(
            f"{queue_arn!r} is no ARN of an SQS queue",
            hint="--queue arn:aws:sqs:REGION:ACCOUNT:NAME",
        )
    place = _place(here, manifest_file)
    sizes = ManifestSizes(
        rows_max=campaign.settings.job_manifest_rows_max,
        bytes_max=campaign.settings.job_manifest_bytes_max,
    )
    async with (
        clients(campaign, here, events) as both,
        account_clients(campaign.access, campaign.settings, here, events) as accounts,
    ):
        ports = WatchPorts(
            control=both.source_control,
            destination_control=both.destination_control,
            accounts=accounts.source.reader,
            store=both.source,
            watching=accounts.source.watching,
            events=events,
            clock=here.clock,
        )
        watched = await find_watched(
            campaign.source_bucket, owner=campaign.source_owner, queue_arn=queue_arn, ports=ports
        )
        ledger = Ledger.open(
            here.root / LEDGER_FILE, bucket=campaign.source_bucket, now=here.clock.now()
        )
        try:
            yield Watch(watched, ports, ledger, place, sizes)
        finally:
            ledger.close()


def _place(here: Machine, manifest_file: str) -> ManifestPlace:
    if not manifest_file:
        return ManifestPlace(
            writer=here.artifacts.document_writer,
            name_of="manifest/{:04d}.csv".format,
            index_name="manifest/index.json",
            shown=lambda name: str(here.root / name),
        )
    path = Path(manifest_file)
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(
            f"the manifest cannot be written to {manifest_file!r}",
            hint="name a file in a folder that is there: --manifest FILE",
        )
    return ManifestPlace(
        writer=lambda name: replaced_file(Path(name)),
        name_of=partial(_file_name, path),
        index_name=f"{path}.index.json",
        shown=str,
    )


def _file_name(path: Path, number: int) -> str:
    """Return the name of the n-th file; nearly always there is but the one that was asked for."""
    return str(path.with_name(f"{path.stem}-{number:04d}{path.suffix}") if number else path)
