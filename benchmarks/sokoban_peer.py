"""Worker of the Sokoban benchmarks: measures one peer, in the peer's own Python, and prints JSON.

    /path/to/peer/python benchmarks/sokoban_peer.py gym-sokoban levels 8 2 10
    /path/to/peer/python benchmarks/sokoban_peer.py gym-sokoban steps 10 4 300
    /path/to/peer/python benchmarks/sokoban_peer.py reasoning-gym levels 8 2 10

Arguments: peer, what to measure, size, boxes, how many. It needs nothing of agentgen-bench.
Levels: CPU-milliseconds of each. Steps: steps per CPU-second by kind of observation.
"""

import json
import random
import sys
import time
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")


def timed_ms(work):
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def gym_sokoban_levels(size, boxes, count):
    import numpy as np
    from gym_sokoban.envs.room_utils import generate_room

    def level():
        while True:  # as SokobanEnv.reset does: again until a room comes out well
            try:
                return generate_room(dim=(size, size), num_steps=int(1.7 * 2 * size), num_boxes=boxes)
            except (RuntimeError, RuntimeWarning):
                pass

    random.seed(0)
    np.random.seed(0)
    return [timed_ms(level) for _ in range(count)]


def gym_sokoban_steps(size, boxes, count):
    from gym_sokoban.envs.sokoban_env import SokobanEnv

    # Rooms of one box are quick to make; the cost of a step depends on the size of the board.
    env = SokobanEnv(dim_room=(size, size), num_boxes=min(boxes, 2), max_steps=10**9)
    rates = {}
    for mode in ("rgb_array", "tiny_rgb_array"):
        actions = random.Random(0).choices(range(1, 5), k=count)

        def walk(actions=actions, mode=mode):
            for action in actions:
                env.step(action, observation_mode=mode)

        rates[mode] = count / timed_ms(walk) * 1000
    return rates


def reasoning_gym_levels(size, boxes, count):
    import reasoning_gym

    shape = {"min_w": size, "max_w": size, "min_h": size, "max_h": size, "min_boxes": boxes, "max_boxes": boxes}
    dataset = reasoning_gym.create_dataset("sokoban", seed=0, size=count, **shape)
    return [timed_ms(lambda i=i: dataset[i]) for i in range(count)]


MEASUREMENTS = {
    ("gym-sokoban", "levels"): gym_sokoban_levels,
    ("gym-sokoban", "steps"): gym_sokoban_steps,
    ("reasoning-gym", "levels"): reasoning_gym_levels,
}

if __name__ == "__main__":
    peer, subject, *numbers = sys.argv[1:]
    result = MEASUREMENTS[peer, subject](*map(int, numbers))
    print(json.dumps({"version": version(peer), "result": result}))
