"""What a copy has to name, read from its pinned source version right before it is written.

The plan saw it hours ago: a retention may have been extended since, or have ended, and an ACL may
have changed. What is read here is a second old when the copy is made.
Never writes. The source identity reads; HEAD shows it locks, because a run begins by proving that
(see `preflight.readable`).
Law: what a version has and its copy cannot have refuses the copy, with the field's name.
"""

from backfill.errors import Disposition, StoreFault
from backfill.execute.bench import Bench
from backfill.execute.codes import Code
from backfill.execute.refusals import copy_refusal
from backfill.execute.views import Copy, Write
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ObjectHead
from backfill.model.extras import acl_obstacle, extras_of
from backfill.model.store import Extras
from backfill.plan.routes import Handling


class RefusedCopyError(Exception):
    """The version would lose something by this route."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


async def extras_for(bench: Bench, entry: ManifestEntry, step: Write) -> Extras:
    """Return what one write has to name; nothing is read where the plan saw nothing to name.

    Raises:
        RefusedCopyError: a field would be lost silently.
        StoreFault: the source could not be read, or is another version now.
    """
    if not isinstance(step, Copy) or not step.handling & Handling.READ_SOURCE:
        return bench.extras
    head = await pinned_head(bench, entry, step)
    abilities = bench.header.abilities_at(entry.destination)
    refusal = copy_refusal(head, entry.encryption, abilities, bench.ports.clock.now())
    if refusal is not None:
        raise RefusedCopyError(refusal)
    return await named_extras(bench, entry, step, head)


async def named_extras(bench: Bench, entry: ManifestEntry, step: Copy, head: ObjectHead) -> Extras:
    """Return what a request has to name of a version whose head was just read and refused nothing.

    Raises: as `extras_for`.
    """
    abilities, acl = bench.header.abilities_at(entry.destination), None
    if step.handling & Handling.GRANTS:
        acl = await bench.ports.source.object_acl(
            bench.header.source, entry.key, version_id=step.version_id
        )
        if acl_obstacle(acl, abilities):
            raise RefusedCopyError(Code.ACL)
    moment, algorithm = bench.ports.clock.now(), bench.header.checksum_algorithm
    return extras_of(head, acl, abilities.owner_id, moment, algorithm)


async def pinned_head(bench: Bench, entry: ManifestEntry, step: Copy) -> ObjectHead:
    """Return the head of the version that a step copies.

    Raises:
        StoreFault: it could not be read, or is another version now.
    """
    head = await bench.ports.source.head_object(
        bench.header.source, entry.key, version_id=step.version_id
    )
    if head.etag != step.etag:
        raise changed("HeadObject", "the source version has another ETag now")
    return head


def changed(operation: str, message: str) -> StoreFault:
    """Return the fault of a world that is another one than was decided by."""
    return StoreFault(
        operation=operation,
        code="PreconditionFailed",
        status=412,
        disposition=Disposition.REDECIDE,
        message=message,
    )
