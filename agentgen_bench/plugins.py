"""Whether an installed package brings a plug-in, without importlib.metadata.

That module and what it imports (email, zipfile, csv) take a third of the time that all of this package takes to import,
and most machines have no plug-in.
"""

import os
import sys
from importlib.machinery import PathFinder


def may_be_declared(group: str) -> bool:
    """Return whether a package on the path declares entry points of the group; False is certain.

    It reads the files of entry points that importlib.metadata reads in folders. What it cannot see into (a zip or an
    egg on the path, another finder of distributions) may declare some.
    """
    if any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not PathFinder):
        return True
    heading = f"[{group}]".encode()
    return any(_may_hold(entry or os.curdir, heading) for entry in sys.path)


def _may_hold(place: str, heading: bytes) -> bool:
    if place.lower().endswith(".egg"):
        return True
    try:
        names = os.listdir(place)
    except NotADirectoryError:
        return True
    except OSError:  # it is not there
        return False
    return any(heading in _entry_points(place, name) for name in names if name.lower().endswith(_RECORDS))


_RECORDS = (".dist-info", ".egg-info")


def _entry_points(place: str, name: str) -> bytes:
    try:
        with open(os.path.join(place, name, "entry_points.txt"), "rb") as file:
            return file.read()
    except OSError:  # it declares none
        return b""
