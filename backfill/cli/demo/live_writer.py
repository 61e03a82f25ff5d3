"""Somebody who goes on working in the source bucket while the backfill runs.

Never writes anywhere but through the source account's door, as any client would.
Law: it stops before it is judged, and says how much it wrote.
"""

import threading
from random import Random
from types import TracebackType
from typing import Self

from backfill.cli.demo.history import ORDERS, SOURCE_BUCKET
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.objects import DeleteObjectRequest, PutObjectRequest
from backfill.sandbox.service import SOURCE, Sandbox

_PAUSE_S = 0.03
_UNTOUCHED_ORDERS = 20
"""The first orders are left alone: the damage comes there."""


class LiveWriter:
    """New keys, overwrites and deletions, about thirty a second, in a thread of its own."""

    def __init__(self, sandbox: Sandbox, *, seed: int) -> None:
        self._sandbox = sandbox
        self._random = Random(seed)  # noqa: S311 - a repeatable story, no secret
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="live writer", daemon=True)
        self._caller = Caller(
            account_id=SOURCE.account_id, arn=SOURCE.root.arn, region=SOURCE.region
        )
        self.writes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            self.writes += 1
            chance = self._random.random()
            if chance < 0.5:
                self._put(f"live/{self.writes:06}")
            elif chance < 0.9:
                self._put(self._order())
            else:
                self._delete(self._order())

    def _order(self) -> str:
        return f"orders/{self._random.randrange(_UNTOUCHED_ORDERS, ORDERS):04}.xml"

    def _put(self, key: str) -> None:
        body = f"live write {self.writes} of {key}".encode()
        with self._sandbox.held() as model:
            model.put_object(
                self._caller, PutObjectRequest(bucket=SOURCE_BUCKET, key=key, body=body)
            )

    def _delete(self, key: str) -> None:
        with self._sandbox.held() as model:
            model.delete_object(self._caller, DeleteObjectRequest(bucket=SOURCE_BUCKET, key=key))
