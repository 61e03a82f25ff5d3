"""The models of services that botocore ships, read once in a process.

Each session reads and parses them anew, which is seven eighths of what opening a client costs;
tests that open hundreds need not. Never used where start-up itself is looked at.
Law: what is read is what botocore ships; only how often is another matter.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.loaders
import pytest


@contextmanager
def models_read_once() -> Iterator[None]:
    """Have every session of the block share what the first one read."""
    with pytest.MonkeyPatch.context() as patch:
        read, known = botocore.loaders.JSONFileLoader.load_file, dict[str, object]()

        def read_once(loader: botocore.loaders.JSONFileLoader, path: str) -> object:
            if path not in known:
                known[path] = read(loader, path)
            return known[path]

        patch.setattr(botocore.loaders.JSONFileLoader, "load_file", read_once)
        lists, listed = botocore.loaders.Loader.list_available_services, dict[object, list[str]]()

        def list_once(loader: botocore.loaders.Loader, type_name: str) -> list[str]:
            asked = (type_name, *loader.search_paths)
            if asked not in listed:
                listed[asked] = lists(loader, type_name)
            return listed[asked]

        patch.setattr(botocore.loaders.Loader, "list_available_services", list_once)
        yield
