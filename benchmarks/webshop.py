"""Speed and memory of the WebShop family: steps with new queries, start from the disk cache, a large catalogue.

    python benchmarks/webshop.py [--products 100000]

CPU time, median of repeats; memory is the peak resident size of a fresh process. The original's figures stand beside
ours; they were measured elsewhere (princeton-nlp/WebShop 64fa2a5c, 1,000 products), not in this run.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agentgen_bench import make
from agentgen_bench.envs.webshop.generate import GeneratedSource
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.envs.webshop.shop import open_shop

REPEATS = 5
EPISODES = 400
QUERY_WORDS = 8
ORIGINAL = "original, measured elsewhere: 66-104 steps/s, 17-25 s start, 667-930 MB"

START_PROGRAM = """
import json, resource, time
wall, cpu = time.perf_counter(), time.process_time()
from agentgen_bench import make
env = make("AgentGen/WebShop-base-v0", **json.loads({knobs!r}))
observation, info = env.reset(seed=0)
for seed in range(50):
    env.reset(seed=seed)
    for _ in range(4):
        env.step(env.unwrapped.expert_action())
    if seed == 0:
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""

BUILD_PROGRAM = """
import json, resource, tempfile, time
from pathlib import Path
from agentgen_bench.envs.webshop.catalogue import Catalogue, catalogue_arrays
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.envs.webshop.generate import GeneratedSource, generated_products
from agentgen_bench.envs.webshop.product import encoded
from agentgen_bench.envs.webshop.search import IndexBuilder
source = GeneratedSource("train", PRESETS["medium"], {n})
began = time.process_time()
texts = 0
for product in generated_products(source, []):
    texts += len(product.indexed_text)
generated = time.process_time() - began
with tempfile.TemporaryDirectory() as folder:
    began = time.process_time()
    arrays = catalogue_arrays(generated_products(source, []), Path(folder))
    whole = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
print(json.dumps([generated, whole - generated, peak, size, texts / {n}]))
"""


def queries(words: list[str], n: int, seed: int) -> list[str]:
    """Return `n` queries of words drawn from requests; nearly all differ."""
    draws = random.Random(seed)
    return [" ".join(draws.sample(words, QUERY_WORDS)) for _ in range(n)]


def visits_per_second(richness: str, repeat: int) -> float:
    """Return steps per CPU-second over visits of one search, one page turn and six clicks, every query new."""
    env = make(f"AgentGen/WebShop-{richness}-v0", difficulty="medium")
    words = sorted({word for seed in range(200) for word in env.reset(seed=seed)[1]["task"].split()})
    asked = queries(words, EPISODES, repeat)
    for warm in queries(words, 100, -1):
        env.step(f"search[{warm}]")
    steps, spent = 0, 0.0
    for seed, query in enumerate(asked):
        _, info = env.reset(seed=seed)
        began = time.process_time()
        for place, action in enumerate((f"search[{query}]", "click[next >]", "click[< prev]", "", "", "", "", "")):
            clicks = info["admissible_commands"][1:] or (f"search[{query} {place}]",)
            *_, info = env.step(action or clicks[(place * 5 + seed) % len(clicks)])
            steps += 1
            if not info["admissible_commands"]:
                break
        spent += time.process_time() - began
    return steps / spent


def searches_per_second(repeat: int) -> float:
    """Return steps per CPU-second where every step is a search for something new."""
    env = make("AgentGen/WebShop-base-v0", difficulty="medium")
    words = sorted({word for seed in range(200) for word in env.reset(seed=seed)[1]["task"].split()})
    asked = queries(words, 3000, repeat + 100)
    env.reset(seed=0)
    began = time.process_time()
    for query in asked:
        env.step(f"search[{query}]")
    return len(asked) / (time.process_time() - began)


def fresh_process(program: str, cache: str) -> list[float]:
    """Return the numbers that a program prints as JSON, run with its own cache folder."""
    settings = {**os.environ, "AGENTGEN_CACHE_DIR": cache, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=settings)
    return [float(value) for value in json.loads(done.stdout.splitlines()[-1])]


def show_start(cache: str) -> None:
    """Print what the first start and later ones cost on 1,000 products."""
    program = START_PROGRAM.format(knobs=json.dumps({"difficulty": "medium"}))
    first = fresh_process(program, cache)
    later = [fresh_process(program, cache) for _ in range(REPEATS)]
    cpu, peak = statistics.median(run[1] for run in later), statistics.median(run[2] for run in later)
    print(f"start, nothing cached       {first[1]:8.2f} s CPU (import, building, one episode)")
    print(f"start from the disk cache   {cpu:8.2f} s CPU (import, opening, one episode)")
    print(f"peak memory, 1,000 products {peak:8.0f} MB")


def show_large(n_products: int, cache: str) -> None:
    """Print what a large catalogue costs to build and to search."""
    generated, indexed, peak, size, chars = fresh_process(BUILD_PROGRAM.format(n=n_products), cache)
    print(f"{n_products:,} products: {chars:.0f} indexed characters each")
    print(f"  writing their pages       {generated:8.2f} s CPU")
    print(f"  storing and indexing      {indexed:8.2f} s CPU, peak memory {peak:.0f} MB, {size:.0f} MB on disk")
    os.environ["AGENTGEN_CACHE_DIR"] = cache
    shop = open_shop(GeneratedSource("train", PRESETS["medium"], n_products))
    env = make("AgentGen/WebShop-base-v0", difficulty="medium")
    words = sorted({word for seed in range(200) for word in env.reset(seed=seed)[1]["task"].split()})
    times = []
    for query in queries(words, 500, 7):
        began = time.process_time()
        shop.catalogue.search(query)
        times.append((time.process_time() - began) * 1000)
    requests = [env.reset(seed=seed)[1]["task"] for seed in range(200)]
    long = []
    for query in requests:
        began = time.process_time()
        shop.catalogue.search(query)
        long.append((time.process_time() - began) * 1000)
    print(
        f"  search, {QUERY_WORDS} words           {statistics.median(times):8.2f} ms median, {max(times):.2f} ms worst"
    )
    print(f"  search, whole requests    {statistics.median(long):8.2f} ms median, {max(long):.2f} ms worst")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed and memory of the WebShop family.")
    parser.add_argument("--products", type=int, default=100_000, help="size of the large catalogue (default 100000)")
    arguments = parser.parse_args()
    print(ORIGINAL)
    for richness in ("lean", "base", "rich"):
        rate = statistics.median(visits_per_second(richness, repeat) for repeat in range(REPEATS))
        print(f"visits, {richness:4} text           {rate:8,.0f} steps/s")
    rate = statistics.median(searches_per_second(repeat) for repeat in range(REPEATS))
    print(f"searches only, base text    {rate:8,.0f} steps/s")
    with tempfile.TemporaryDirectory() as cache:
        show_start(cache)
        show_large(arguments.products, cache)


if __name__ == "__main__":
    main()
