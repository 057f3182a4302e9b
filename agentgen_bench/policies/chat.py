"""History to prompt tokens: the tokenizer's chat template, and history dropped until the prompt fits."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies.checkpoint import Checkpoint
from agentgen_bench.prompts import History, Message, PromptConfig, messages, shown_turns

# For base models, whose tokenizer has no chat template: each message under its role, then the assistant's turn.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


class Prompt(NamedTuple):
    """A prompt that fits: its text, its token ids, how many past turns were left out, the thought it opens.

    `opening` is `<think>` where the template itself opens the model's thought, so that the completion starts inside
    it; it belongs in front of the completion when the action is parsed.
    """

    text: str
    ids: tuple[int, ...]
    dropped_turns: int
    opening: str


class ChatFormat:
    """A tokenizer with the template that turns messages into its model's input."""

    def __init__(self, tokenizer: Any) -> None:
        """Take the tokenizer's chat template, or the plain one where it has none."""
        self.tokenizer = tokenizer
        self.has_template = tokenizer.chat_template is not None
        self.template: str = tokenizer.get_chat_template() if self.has_template else PLAIN_TEMPLATE
        self._knows_thinking = "enable_thinking" in self.template

    @property
    def template_hash(self) -> str:
        """SHA-256 of the template in use, 64 hex digits."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    def text(self, chat: Sequence[Message], thinking: bool) -> str:
        """Return the model's input up to where the assistant's turn begins.

        `thinking` reaches the template as `enable_thinking`, where the template knows that name.
        """
        options = {"enable_thinking": thinking} if self._knows_thinking else {}
        plain = [{"role": message.role, "content": message.content} for message in chat]
        return str(
            self.tokenizer.apply_chat_template(
                plain, chat_template=self.template, tokenize=False, add_generation_prompt=True, **options
            )
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a rendered prompt; a chat template writes its own special tokens."""
        return tuple(self.tokenizer(text, add_special_tokens=not self.has_template)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of sampled ids, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def prompt(self, history: History, config: PromptConfig, budget_tokens: int) -> Prompt | None:
        """Return the prompt with the longest history that has at most `budget_tokens`; None where none fits."""
        most = shown_turns(history, config)
        for turns in range(most, -1, -1):
            text = self.text(messages(history, config, turns=turns), config.thinking)
            ids = self.encode(text)
            if len(ids) <= budget_tokens:
                opening = "<think>" if text.rstrip().endswith("<think>") else ""
                return Prompt(text, ids, most - turns, opening)
        return None


def load_chat_format(checkpoint: Checkpoint) -> ChatFormat:
    """Return the folder's tokenizer with its template; raises PolicyError where it cannot be loaded."""
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingDependencyError(
            "a model's tokenizer needs transformers: pip install 'agentgen-bench[transformers]'"
        ) from None
    try:
        return ChatFormat(AutoTokenizer.from_pretrained(str(checkpoint.path), local_files_only=True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"the tokenizer in {checkpoint.path} cannot be loaded: {line}") from error
