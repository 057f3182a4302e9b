"""What stands in for GPUs in the contract test of TRL's asynchronous trainer: kernel, server, transfer of weights.

Top-level and importable, because the players are processes of their own.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import load_file, save_file

from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.train.grpo import make_sampler


def flash_attn_varlen_func(query, key, value, starts_q, starts_k, max_q, max_k, softmax_scale, causal, window_size):
    """Attention over segments laid end to end, (T, heads, head size); a segment's queries are the last of its keys."""
    heads_per_key = query.shape[1] // key.shape[1]
    result = torch.empty_like(query)
    for i in range(len(starts_q) - 1):
        q = query[starts_q[i] : starts_q[i + 1]].transpose(0, 1)  # (heads, Q, size)
        k, v = (
            x[starts_k[i] : starts_k[i + 1]].repeat_interleave(heads_per_key, dim=1).transpose(0, 1)
            for x in (key, value)
        )
        scores = q @ k.transpose(1, 2) * softmax_scale  # (heads, Q, K)
        n_q, n_k = scores.shape[1:]
        seen = torch.ones(n_q, n_k, dtype=torch.bool).tril(n_k - n_q)
        result[starts_q[i] : starts_q[i + 1]] = (scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v).transpose(0, 1)
    return result


def stand_in_for_gpus(patch):
    """Patch TRL as far as it asks for a GPU: the attention kernel, and the name by which it looks up a peak speed."""
    patch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.async_grpo import packing

    kernel = SimpleNamespace(flash_attn_varlen_func=flash_attn_varlen_func)
    patch.setattr(packing, "_flash_attn", lambda: kernel)
    patch.setattr(torch.cuda, "get_device_name", lambda device: "CPU")


class FileTransfer:
    """The trainer's side of a server whose weights are a file."""

    def __init__(self, path):
        self.path = Path(path)

    def init_weight_transfer(self):
        pass

    def pause(self):
        pass

    def send_weights(self, iterator):
        unfinished = self.path.with_suffix(".tmp")
        save_file({name: tensor.detach().clone().contiguous() for name, tensor in iterator}, unfinished)
        unfinished.replace(self.path)

    def resume(self):
        pass

    def destroy(self):
        pass


class FilePolicy:
    """A model in the player's process that takes the newest weights of the file before it decides."""

    def __init__(self, policy: TransformersPolicy, path: str):
        self.name = policy.name
        self._policy, self._path, self._read_at = policy, path, 0

    def act(self, histories):
        changed = os.stat(self._path).st_mtime_ns
        if changed != self._read_at:
            self._policy.load_weights(load_file(self._path).items())
            self._read_at = changed
        return self._policy.act(histories)

    def describe(self):
        return self._policy.describe()


def file_policy(config, engine):
    """Make the policy of a player; the server's address is the file."""
    torch.set_num_threads(1)
    return FilePolicy(make_sampler(config, config.model), engine.server)


def frozen_policy(config, engine):
    """Make a policy whose weights never change."""
    return make_sampler(config, config.model)


def broken_policy(config, engine):
    raise ConnectionError("no server here")
