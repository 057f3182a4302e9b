"""Train a tool-calling model on a world with TRL's GRPOTrainer: `python examples/trl_trainer.py MODEL`.

Its chat template must be one that TRL parses calls of, as those of Qwen2.5 and Qwen3 are. See docs/adapters/trl.md.
"""

import argparse

import torch
from datasets import Dataset
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import add_response_schema

from agentgen_bench import TaskSpec
from agentgen_bench.adapters.trl import environment_for, episode_return, score, success
from agentgen_bench.rows import setting_rows


def main():
    """Train on the easy levels of a family, and save the model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a model folder, or a name on the Hugging Face Hub")
    parser.add_argument("--family", default="Sokoban", help="which world (default: %(default)s)")
    parser.add_argument("--levels", type=int, default=1000, help="number of training levels (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps (default: %(default)s)")
    parser.add_argument("--group", type=int, default=8, help="episodes of a level in a step (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=4096, help="of a whole episode (default: %(default)s)")
    parser.add_argument("--output", default="runs/trl", help="where the model goes (default: %(default)s)")
    args = parser.parse_args()
    spec = TaskSpec(args.family, difficulty="easy", split="train")
    empty = [{"role": "user", "content": ""}]  # the environment fills it
    levels = [{"prompt": empty, **row} for row in setting_rows(spec, args.levels)]
    trainer = GRPOTrainer(
        model=args.model,
        processing_class=add_response_schema(AutoTokenizer.from_pretrained(args.model)),
        train_dataset=Dataset.from_list(levels),
        environment_factory=environment_for(spec),
        reward_funcs=[episode_return, score, success],
        args=GRPOConfig(
            output_dir=args.output,
            reward_weights=[1.0, 0.0, 0.0],  # trains on the return; score and success are logged beside it
            num_generations=args.group,
            per_device_train_batch_size=args.group,
            max_completion_length=args.tokens,
            max_steps=args.steps,
            logging_steps=1,
            report_to=[],
            use_cpu=not torch.cuda.is_available(),
            bf16=torch.cuda.is_available(),
        ),
    )
    trainer.train()
    trainer.save_model(args.output)


if __name__ == "__main__":
    main()
