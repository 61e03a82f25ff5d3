"""A sandbox in a process of its own whose source bucket has years behind it, for `whole_run`.

    python -m benchmarks.old_bucket VERSIONS PROFILES_FOLDER

Fills the source in process, without HTTP, prints one JSON line of what it holds and what the rules
make of it (`Told`), and then one of counters for every line that it reads: `calls` by operation,
`cpu_s` of this process, and the current entries at the destination by `kind`.
Never imports the product: what a plan must come to is written down here a second time.
Law: the counts of `expected` are of the entries as they were written, and add up to VERSIONS.
"""

import gc
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    CreateBucketRequest,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.objects import DeleteObjectRequest, PutObjectRequest
from backfill.sandbox.model.values import WrittenAttributes
from backfill.sandbox.service import DESTINATION, SOURCE, Account, Sandbox

SOURCE_BUCKET = "whole-run-source"
DESTINATION_BUCKET = "whole-run-destination"
UNIT = 100_000
"""The numbers of `write` are for so many versions, and shrink with fewer."""

HOSTILE = (
    "a b+c%2Fd",
    "/double//slash",
    "../../etc/passwd",
    "new\nline",
    "tab\tand\x1b[31mred",
    "\x01\x02\x7f\r",
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "\U0001f600/\U0010ffff",
    "quote\"and'comma,",
    "&amp;",
    "e\u0301",
    " trailing ",
    "back\\slash",
    "?query#fragment",
    "%",
    "x" * 900,
)


@dataclass(slots=True, kw_only=True)
class Pen:
    """Writes versions of the source as its account, and counts what each must come to."""

    sandbox: Sandbox
    versions: int
    written: int = 0
    keys: set[str] = field(default_factory=set)
    expected: Counter[str] = field(default_factory=Counter)

    def scaled(self, count: int) -> int:
        """Return a number of `write`'s for so many versions as were asked for."""
        return count * self.versions // UNIT

    def days_ago(self, days: int) -> None:
        """Set the sandbox's clock back."""
        self.sandbox.clock.offset = timedelta(days=-days)

    def put(self, key: str, decision: str, tags: Pairs = ()) -> None:
        """Write an object version with metadata."""
        body = f"{key} {self.written}\n".encode(errors="replace") * 3
        attributes = WrittenAttributes(metadata=(("origin", "whole run"),), tags=tags)
        self.sandbox.model.put_object(
            caller_of(SOURCE),
            PutObjectRequest(bucket=SOURCE_BUCKET, key=key, body=body, attributes=attributes),
        )
        self._count(key, decision)

    def delete(self, key: str, decision: str) -> None:
        """Write a delete marker."""
        request = DeleteObjectRequest(bucket=SOURCE_BUCKET, key=key)
        self.sandbox.model.delete_object(caller_of(SOURCE), request)
        self._count(key, decision)

    def _count(self, key: str, decision: str) -> None:
        self.written += 1
        self.keys.add(key)
        self.expected[decision] += 1

    def set_rules(self, *rules: str) -> None:
        """Replace the source's replication configuration."""
        document = (
            '<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Role>{SOURCE.root.arn}</Role>{''.join(rules)}</ReplicationConfiguration>"
        )
        request = PutBucketReplicationRequest(bucket=SOURCE_BUCKET, document=document)
        self.sandbox.model.put_bucket_replication(caller_of(SOURCE), request)


def write(pen: Pen) -> None:
    """Write the whole history. Nothing serves HTTP yet, so the model needs no lock."""
    pen.days_ago(400)
    _make_buckets(pen)
    photos = [f"photos/{n % 7}/{n:06}.jpg" for n in range(pen.scaled(1_000))]
    for number, key in enumerate(photos):
        pen.put(key, "noncurrent" if number % 10 == 0 else "copy-object")  # null versions
    _enable_versioning(pen)
    pen.days_ago(300)
    _invoices_under_an_earlier_rule(pen)
    pen.days_ago(100)
    request = BucketRequest(bucket=SOURCE_BUCKET)
    pen.sandbox.model.delete_bucket_replication(caller_of(SOURCE), request)
    for key in photos[::10]:
        pen.delete(key, "delete-marker-not-replicated")
    _orders(pen)
    for number in range(pen.scaled(800)):
        is_kept = number % 2 == 0
        tags = (("project", "kept" if is_kept else "other"), ("note", "a b+c/d=é"))
        decision = "copy-object" if is_kept else "tag-mismatch"
        pen.put(f"tagged/{number:06}", decision, tags)
    for number in range(pen.scaled(200)):
        pen.put(f"hostile/{number // len(HOSTILE)}{HOSTILE[number % len(HOSTILE)]}", "copy-object")
    _scratch(pen)
    pen.sandbox.clock.offset = timedelta()
    tag = "<Tag><Key>project</Key><Value>kept</Value></Tag>"
    pen.set_rules(
        rule(1, "<Prefix>invoices/</Prefix>"),
        rule(2, "<Prefix>orders/</Prefix>", wants_markers=True),
        rule(3, "<Prefix>photos/</Prefix>"),
        rule(4, f"<And><Prefix>tagged/</Prefix>{tag}</And>"),
        rule(5, "<Prefix>hostile/</Prefix>"),
    )
    assert pen.written == pen.versions == pen.expected.total(), "every version is accounted for"


def _invoices_under_an_earlier_rule(pen: Pen) -> None:
    """What S3 replicated long ago, with its version IDs: most of the bucket."""
    pen.set_rules(rule(1, "<Prefix>invoices/</Prefix>"))
    for number in range(pen.scaled(60_000)):
        key = f"invoices/{number % 12:02}/{number:08}.pdf"
        pen.put(key, "already-replicated")
        if number % 20 == 0:
            pen.put(key, "already-replicated")
        if number % 100 == 0:
            pen.delete(key, "delete-marker-not-replicated")
    pen.days_ago(299)
    pen.sandbox.advance()


def _orders(pen: Pen) -> None:
    """Most of what has to be copied, with one to three versions a key; some keys are deleted."""
    for number in range(pen.scaled(8_670)):
        key = f"orders/{number % 9}/{number:08}.xml"
        is_deleted = number % 51 == 0
        older = (number % 3 == 0) + (number % 17 == 0)
        for _ in range(older):
            pen.put(key, "noncurrent")
        pen.put(key, "noncurrent" if is_deleted else "copy-object")
        if is_deleted:
            pen.delete(key, "marker-unconditional")


def _scratch(pen: Pen) -> None:
    """What no rule covers, up to the number of versions that was asked for."""
    number = 0
    while pen.written < pen.versions:
        key = f"scratch/{number:08}.tmp"
        pen.put(key, "no-rule")
        if number % 10 == 0 and pen.written < pen.versions:
            pen.put(key, "no-rule")
        if number % 60 == 0 and pen.written < pen.versions:
            pen.delete(key, "no-rule")
        number += 1


def rule(priority: int, prefix: str, *, wants_markers: bool = False) -> str:
    """Return the XML of an enabled rule to the one destination."""
    return (
        f"<Rule><ID>rule-{priority}</ID><Priority>{priority}</Priority>"
        f"<Filter>{prefix}</Filter><Status>Enabled</Status><DeleteMarkerReplication>"
        f"<Status>{'Enabled' if wants_markers else 'Disabled'}</Status></DeleteMarkerReplication>"
        f"<Destination><Bucket>arn:aws:s3:::{DESTINATION_BUCKET}</Bucket></Destination></Rule>"
    )


def caller_of(account: Account) -> Caller:
    """Return an account's root as the model knows callers."""
    return Caller(account_id=account.account_id, arn=account.root.arn, region=account.region)


def _make_buckets(pen: Pen) -> None:
    reads = ["GetObject", "GetObjectTagging", "GetObjectVersion", "GetObjectVersionTagging"]
    replicates = ["ReplicateObject", "ReplicateDelete", "ReplicateTags"]
    for owner, other, bucket, actions in (
        (SOURCE, DESTINATION, SOURCE_BUCKET, reads),
        (DESTINATION, SOURCE, DESTINATION_BUCKET, replicates),
    ):
        location = None if owner.region == "us-east-1" else owner.region
        pen.sandbox.model.create_bucket(
            caller_of(owner), CreateBucketRequest(bucket=bucket, location=location)
        )
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": other.root.arn},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        pen.sandbox.model.put_bucket_policy(
            caller_of(owner), PutBucketPolicyRequest(bucket=bucket, document=document)
        )


def _enable_versioning(pen: Pen) -> None:
    for owner, bucket in ((SOURCE, SOURCE_BUCKET), (DESTINATION, DESTINATION_BUCKET)):
        enabled = PutBucketVersioningRequest(bucket=bucket, status="Enabled")
        pen.sandbox.model.put_bucket_versioning(caller_of(owner), enabled)


def counters(sandbox: Sandbox) -> dict[str, object]:
    """Return what the server has done so far, and what an independent look at it shows."""
    with sandbox.held() as model:
        there = raw_edits.bucket_of(model, DESTINATION_BUCKET)
        current = [there.current(key) for key in there.keys]
        entries = sum(1 for _ in there.entries())
    return {
        "calls": sandbox.calls(),
        "cpu_s": time.process_time(),
        "destination_current_objects": sum(hasattr(entry, "etag") for entry in current),
        "destination_entries": entries,
    }


def main() -> int:
    """Fill, serve, and answer questions until standard input ends."""
    versions, folder = int(sys.argv[1]), Path(sys.argv[2])
    sandbox = Sandbox(seed=1)
    pen = Pen(sandbox=sandbox, versions=versions)
    began_s = time.perf_counter()
    gc.disable()  # nothing of a history is garbage, and the collector would look at all of it
    write(pen)
    gc.freeze()
    gc.enable()
    told = {
        "filled_s": time.perf_counter() - began_s,
        "keys": len(pen.keys),
        "expected": pen.expected,
    }
    with sandbox:
        told["environment"] = sandbox.write_profiles(folder)
        print(json.dumps(told | counters(sandbox)), flush=True)
        for _ in sys.stdin:
            print(json.dumps(counters(sandbox)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
