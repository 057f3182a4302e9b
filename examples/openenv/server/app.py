"""The OpenEnv server of agentgen-bench: `python -m server.app` in the folder above, or `uvicorn server.app:app`."""

import argparse

import uvicorn

from agentgen_bench.adapters.openenv import app as make_app

app = make_app()


def main():
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Serve the worlds of agentgen-bench to OpenEnv clients.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port (default: %(default)s)")
    args = parser.parse_args()
    uvicorn.run(app, host=args.host, port=args.port)


if __name__ == "__main__":
    main()
