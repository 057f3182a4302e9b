"""`python -m agentgen_bench` is the command `agentgen-bench`."""

import sys

from agentgen_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
