"""The original's WebShop data: which files there are, where the original project keeps them, whether they are sound."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

from agentgen_bench.data.download import RemoteFile, fetch_checked
from agentgen_bench.envs.webshop.rawdata import json_elements
from agentgen_bench.errors import DataError

# Google Drive ids as in setup.sh of princeton-nlp/WebShop at 64fa2a5c. No digests are published: see `digests`;
# the start of each file is read as what it should hold.
DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
HUMAN = ("items_human_ins.json", "14Kb5SPBk_jfdLZ_CDBNitW98QLDlKR5O")
SETS = {
    "small": (
        ("items_shuffle_1000.json", "1EgHdxQ_YxqIQlvvq5iKlCrkEKR6-j0Ib"),
        ("items_ins_v2_1000.json", "1IduG0xl544V_A_jv3tHXC0kyFi7PnyBu"),
        HUMAN,
    ),
    "all": (
        ("items_shuffle.json", "1A2whVgOO0euk5O13n2iYDM0bQRkkRduB"),
        ("items_ins_v2.json", "1s2j6NgHljiZzQNL3veZaAiyW_qDEgBNi"),
        HUMAN,
    ),
}


FILES = {name: drive_id for files in SETS.values() for name, drive_id in files}


class Fetched(NamedTuple):
    """A file that arrived, its size and its digest."""

    path: Path
    size_bytes: int
    sha256: str


def download_webshop(
    folder: Path,
    *,
    size: str = "small",
    base_url: str | None = None,
    sha256: Mapping[str, str] | None = None,
    progress: TextIO | None = sys.stderr,
) -> list[Fetched]:
    """Download one of the original's sets into `folder`, which is then what `data=` takes; return what is there.

    Args:
        folder: where to; made where missing. Files already there and sound are left alone.
        size: `small` (1,000 products) or `all` (1.18 million, some 5 GB).
        base_url: an address that has the files by name, for mirrors; None takes the original project's own.
        sha256: digests of files by name; without one that is given, the first download's is recorded and counts.
        progress: where bars are drawn; None draws none.

    Raises:
        DataError: the server does not give a file, or gives something else (a page that asks to log in).
    """
    found = []
    for name, drive_id in SETS[size]:
        url = f"{DRIVE}{drive_id}" if base_url is None else f"{base_url.rstrip('/')}/{name}"
        path = folder / name
        digest = fetch_checked(RemoteFile(url), path, sha256 or {}, partial(_check, url=url), progress)
        found.append(Fetched(path, path.stat().st_size, digest))
    return found


def _check(path: Path, url: str) -> None:
    """Read the first element of a file; what is no JSON was never the data set and is removed."""
    try:
        first = next(json_elements(path), None)
    except DataError as error:
        path.unlink()
        raise DataError(f"{url} gave no data set ({error}); it was removed. Give a mirror with --url") from None
    is_pair = isinstance(first, tuple)
    if first is None or is_pair != (not path.name.startswith("items_shuffle")):
        path.unlink()
        raise DataError(f"{url} gave something else than {path.name}; it was removed. Give a mirror with --url")
