"""Shops: a catalogue and what goals are drawn from, opened once per process and kept on disk by content."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.envs.webshop.cache import Arrays, cached
from agentgen_bench.envs.webshop.catalogue import Catalogue
from agentgen_bench.envs.webshop.generate import GeneratedSource, Placed, generated_arrays, placed_clusters
from agentgen_bench.envs.webshop.rawdata import fingerprint, found_files
from agentgen_bench.envs.webshop.requests import RequestTable, data_arrays, request_table
from agentgen_bench.errors import DataError

OPEN_SHOPS = 8


class DataSource(NamedTuple):
    """What decides a shop of the original's data: the folder, and how many records are read (None: all)."""

    folder: str
    n_products: int | None


class Shop:
    """A catalogue, and the clusters or requests that goals come from. Pickled as its source, opened again there."""

    def __init__(self, source: GeneratedSource | DataSource, arrays: Arrays) -> None:
        """Wrap the arrays of a source."""
        self.source = source
        self.key: tuple[str, ...] = (source.key if isinstance(source, GeneratedSource) else repr(source),)
        self.catalogue: Catalogue = Catalogue(arrays)
        self.clusters: tuple[Placed, ...] = placed_clusters(arrays) if "families" in arrays else ()
        self.requests: RequestTable | None = request_table(arrays) if "request_products" in arrays else None

    def __reduce__(
        self,
    ) -> "tuple[Callable[[GeneratedSource | DataSource], Shop], tuple[GeneratedSource | DataSource]]":
        return open_shop, (self.source,)


@lru_cache(maxsize=OPEN_SHOPS)
def open_shop(source: GeneratedSource | DataSource) -> Shop:
    """Return the shop of a source: from this process, from the disk cache, or built now.

    Raises:
        DataError: a data file is missing or malformed.
    """
    if isinstance(source, GeneratedSource):
        key = _key("generated", _code_digest(), source.key)
        return Shop(source, cached(key, lambda folder: generated_arrays(source, folder)))
    files = found_files(Path(source.folder))
    prints = [fingerprint(path) for path in files if path is not None]
    key = _key("data", _code_digest(), str(source.n_products), *prints)
    shop = Shop(source, cached(key, lambda folder: data_arrays(files, source.n_products, folder)))
    if len(shop.catalogue) == 0:
        raise DataError(f"{files.items} holds no usable product")
    return shop


def _key(*parts: str) -> str:
    return f"{parts[0]}-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:24]}"


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Return a hash of the code that builds catalogues, so that a new version never reads an old one's cache."""
    here = Path(__file__).parent
    paths = sorted([*here.glob("*.py"), *(here / "vocabulary").glob("*.py")])
    return hashlib.sha256(b"".join([path.read_bytes() for path in paths])).hexdigest()
