"""A tool-calling model behind any OpenAI-compatible server, in a loop of your own.

    python examples/tool_calling_model.py http://localhost:8000/v1 NAME --env AgentGen/WebShop-v0 --levels 10

The worlds' actions are functions (`move(direction)`, `search(query)`, ...), and the model calls one a step. For a whole
evaluation with intervals let the package do it: `agentgen-bench evaluate --base-url URL --model NAME --protocol tools`.
"""

import argparse
import os
from pathlib import Path

import requests

from agentgen_bench import PromptConfig, Session
from agentgen_bench.episodes import to_line

TOOLS = PromptConfig(protocol="tools")


def ask(url, model, messages, tools):
    """Return the model's message: its calls, or what it wrote in place of one."""
    headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    body = {"model": model, "messages": messages, "tools": tools, "tool_choice": "auto"}
    reply = requests.post(f"{url}/chat/completions", json=body, headers=headers, timeout=600)
    reply.raise_for_status()
    return reply.json()["choices"][0]["message"]


def play(session, url, model):
    """Play one episode; each call is answered by what it led to."""
    view = session.start()
    messages = [message._asdict() for message in view.messages]
    while not view.done:
        said = ask(url, model, messages, session.tools)
        calls = said.get("tool_calls") or []
        view = session.answer(calls or said.get("content") or "")
        messages.append(
            {"role": "assistant", "content": said.get("content"), **({"tool_calls": calls} if calls else {})}
        )
        texts = [view.text, *[""] * (len(calls) - 1)]  # every call wants an answer; two different ones hold no action
        for call, text in zip(calls, texts, strict=False):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
        if not calls:
            messages.append({"role": "user", "content": view.text})


def main():
    """Play levels, print how they ended, and keep the records."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="the server, such as http://localhost:8000/v1; its key is in OPENAI_API_KEY")
    parser.add_argument("model", help="the model's name there")
    parser.add_argument("--env", default="AgentGen/Sokoban-v0", help="which world (default: %(default)s)")
    parser.add_argument("--levels", type=int, default=3, help="levels, from seed 0 on (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("episodes.jsonl"), help="records (default: %(default)s)")
    args = parser.parse_args()
    for seed in range(args.levels):
        with Session(args.env, seed, prompt=TOOLS, policy=args.model) as session:
            play(session, args.url, args.model)
            print(f"level {seed}: success {session.success}, score {session.score:.2f}")
        with args.output.open("a", encoding="ascii") as file:
            file.write(to_line(session.episode()) + "\n")


if __name__ == "__main__":
    main()
