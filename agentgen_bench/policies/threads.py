"""How many threads torch uses on a CPU."""

import os


def leave_cores_free() -> None:
    """Use half of the logical cores, unless OMP_NUM_THREADS says otherwise; best called before torch is imported.

    OpenMP's threads spin while they wait for each other. With one per logical core, a machine with any other load (or
    with two hyperthreads a core) spends its time spinning: a batch that takes .12 s took 13 s.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2)))
    try:
        import torch
    except ImportError:
        return  # whoever needs it says how to install it
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"].split(",")[0]))  # where torch was imported before
