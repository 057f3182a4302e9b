"""History to prompt tokens: the tokenizer's chat template, and history dropped until the prompt fits."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate, chain, groupby
from typing import Any, NamedTuple

from agentgen_bench.answers import tools_for
from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.policies.base import TokenSample
from agentgen_bench.policies.checkpoint import Checkpoint
from agentgen_bench.prompts import History, Message, PromptConfig, Turn, messages, shown_turns
from agentgen_bench.tools import CALL_MARKS, Tool

# For base models, whose tokenizer has no chat template: each message under its role, then the assistant's turn.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


_MARK = "\ue000"  # a character of the private use area: no template and no observation writes it
MAX_PIECES = 16_384  # of 256 chats under way, 64 turns of each
HEADS_KEPT = 1024  # of chats under way; each may hold a system prompt of thousands of tokens


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
        self.has_template: bool = tokenizer.chat_template is not None
        self.template: str = tokenizer.get_chat_template() if self.has_template else PLAIN_TEMPLATE
        self._knows_thinking = "enable_thinking" in self.template
        self._bridges: dict[tuple[bool, tuple[Tool, ...], str], tuple[str, str] | None] = {}
        self._pieces: dict[str, tuple[int, ...]] = {}
        self._heads: dict[tuple[tuple[Message, ...], bool, tuple[Tool, ...]], _Pieces] = {}
        self._end_texts: dict[int, str] = {}
        self._engine = _bare_engine(tokenizer)
        self._call_marks: dict[int, str] = {
            token: str(added) for token, added in tokenizer.added_tokens_decoder.items() if str(added) in CALL_MARKS
        }

    @property
    def template_hash(self) -> str:
        """SHA-256 of the template in use, 64 hex digits."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    def text(self, chat: Sequence[Message], thinking: bool, tools: Sequence[Tool] = ()) -> str:
        """Return the model's input up to where the assistant's turn begins.

        `thinking` reaches the template as `enable_thinking`, where the template knows that name; `tools` as schemas.
        """
        options: dict[str, Any] = {"enable_thinking": thinking} if self._knows_thinking else {}
        if tools:
            options["tools"] = [tool.schema() for tool in tools]
        plain = [{"role": message.role, "content": message.content} for message in chat]
        return str(
            self.tokenizer.apply_chat_template(
                plain, chat_template=self.template, tokenize=False, add_generation_prompt=True, **options
            )
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a rendered prompt; a chat template writes its own special tokens."""
        return self._ids(text, add_special_tokens=not self.has_template)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of sampled ids, without special tokens but for those that a function call begins with."""
        if self._call_marks.keys().isdisjoint(ids):
            return self._plain(ids)
        runs = groupby(ids, self._call_marks.__contains__)
        return "".join(
            "".join(map(self._call_marks.__getitem__, run)) if is_mark else self._plain(list(run))
            for is_mark, run in runs
        )

    def _plain(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def prompt(self, history: History, config: PromptConfig, budget_tokens: int) -> Prompt | None:
        """Return the prompt with the longest history that has at most `budget_tokens`; None where none fits."""
        if config.protocol != "window":
            return self._conversation(history, config, budget_tokens)
        most = shown_turns(history, config)
        for turns in range(most, -1, -1):
            text = self.text(messages(history, config, turns=turns), config.thinking)
            ids = self.encode(text)
            if len(ids) <= budget_tokens:
                return Prompt(text, ids, most - turns, _opening(text))
        return None

    def _conversation(self, history: History, config: PromptConfig, budget_tokens: int) -> Prompt | None:
        """Return a growing chat, or, where the template writes past answers anew, the chat rendered at each step.

        A template does so where it drops their thoughts, say. Turns that do not fit are dropped as `first_shown` says.
        """
        tools = tools_for(history) if config.protocol == "tools" else ()
        self._check_tools(tools)
        if self._bridge(config.thinking, tools, "tool" if tools else "user") is None:
            return self._rendered(history, config, tools, budget_tokens)
        return self._grown(history, config, tools, budget_tokens)

    def _rendered(
        self, history: History, config: PromptConfig, tools: Sequence[Tool], budget_tokens: int
    ) -> Prompt | None:
        """Return a chat as the template writes it as a whole."""

        @cache
        def pieces(first: int, last: int) -> _Pieces:
            """Return the chat that shows turns first to last - 1 and the observation that followed."""
            chat = messages(_as_of(history, last), config, turns=last - first)
            text = self.text(chat, config.thinking, tools)
            return _Pieces(text, self.encode(text), _opening(text))

        n_turns = len(history.turns)
        first = first_shown(n_turns, lambda first, last: len(pieces(first, last).ids) <= budget_tokens)
        return None if first is None else _prompt([pieces(first, n_turns)], first)

    def _grown(
        self, history: History, config: PromptConfig, tools: Sequence[Tool], budget_tokens: int
    ) -> Prompt | None:
        """Return a chat as it grew: its head rendered, then each answer as sampled and what followed, token by token.

        What follows a turn is the same whichever turn the chat begins with, so its tokens are counted once.
        """
        n_turns = len(history.turns)
        following = messages(history, config, turns=n_turns)[1 - 2 * n_turns :: 2] if n_turns else []

        @cache
        def head(first: int) -> _Pieces:
            return self._head(tuple(messages(_as_of(history, first), config, turns=0)), config.thinking, tuple(tools))

        opening = head(0).opening
        grown = [
            self._growth(turn, message, opening, config.thinking, tools)
            for turn, message in zip(history.turns, following, strict=True)
        ]
        ends = list(accumulate((len(pieces.ids) for pieces in grown), initial=0))
        first = first_shown(
            n_turns, lambda first, last: len(head(first).ids) + ends[last] - ends[first] <= budget_tokens
        )
        return None if first is None else _prompt([head(first), *grown[first:]], first)

    def _growth(self, turn: Turn, following: Message, opening: str, thinking: bool, tools: Sequence[Tool]) -> "_Pieces":
        """Return what a turn adds: the answer as sampled, and the message after it in the template's frame."""
        before, after = self._bridge(thinking, tools, following.role) or ("", "")
        answer = turn.completion.removeprefix(opening)
        sampled = turn.completion_ids or self._piece(answer)
        between = f"{before}{following.content}{after}"
        # An answer that ended by itself has its end-of-turn token; one that was cut gets it from the template.
        ended = self._end_text(sampled[-1]) if turn.completion_ids else ""
        return _Pieces(answer + between, (*sampled, *self._piece(between.removeprefix(ended))), opening)

    def _head(self, chat: tuple[Message, ...], thinking: bool, tools: tuple[Tool, ...]) -> "_Pieces":
        """Return what a growing chat begins with, which stays the same from turn to turn."""
        key = (chat, thinking, tools)
        if key not in self._heads:
            if len(self._heads) > HEADS_KEPT:
                self._heads.clear()
            text = self.text(chat, thinking, tools)
            self._heads[key] = _Pieces(text, self.encode(text), _opening(text))
        return self._heads[key]

    def answers(
        self, prompt: Sequence[Message], completion: Sequence[Message], thinking: bool, tools: Sequence[Tool] = ()
    ) -> list[TokenSample]:
        """Return each answer of a conversation with the input before it, as this format reads and writes a chat.

        `completion` begins with an answer; every second message of it is one, and what stands between is read.
        """
        end = (int(self.tokenizer.eos_token_id),)
        samples: list[TokenSample] = []
        ids: tuple[int, ...] = ()
        opening = ""
        for i in range(0, len(completion), 2):
            bridge = self._bridge(thinking, tools, completion[i - 1].role) if i else None
            if bridge is None:
                text = self.text([*prompt, *completion[:i]], thinking, tools)
                ids, opening = self.encode(text), _opening(text)
            else:
                between = f"{bridge[0]}{completion[i - 1].content}{bridge[1]}"
                ids += self._piece(between.removeprefix(self._end_text(end[0])))
            answer = completion[i].content.removeprefix(opening)
            sampled = (*self._piece(answer), *end)
            samples.append(TokenSample(ids, sampled, ()))
            ids += sampled
        return samples

    def _bridge(self, thinking: bool, tools: Sequence[Tool], role: str) -> tuple[str, str] | None:
        """Return what the template writes between an answer and the text after it, and after that text.

        None where a past answer does not stand in the chat as it was given.
        """
        key = (thinking, tuple(tools), role)
        if key not in self._bridges:
            self._bridges[key] = self._found_bridge(thinking, tools, role)
        return self._bridges[key]

    def _found_bridge(self, thinking: bool, tools: Sequence[Tool], role: str) -> tuple[str, str] | None:
        head = [Message("user", "question")]
        start = self.text(head, thinking, tools)
        answer = "<think>thought</think>answer" if thinking else "answer"
        following: Message = Message("tool" if role == "tool" else "user", _MARK)
        try:
            whole = self.text([*head, Message("assistant", answer), following], thinking, tools)
        except Exception as error:  # noqa: BLE001 - templates raise what they like; this one cannot go on like that
            raise PolicyError(f"the chat template takes no message of role {role!r} here: {error}") from None
        given = start + answer.removeprefix(_opening(start))
        before, mark, after = whole.removeprefix(given).partition(_MARK)
        return (before, after) if whole.startswith(given) and mark else None

    def _check_tools(self, tools: Sequence[Tool]) -> None:
        if tools and "tools" not in self.template:
            raise PolicyError("this model's chat template knows no tools; choose the protocol chat or window")

    def _piece(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a piece of a chat, without the special tokens that open a text."""
        if text not in self._pieces:
            if len(self._pieces) > MAX_PIECES:
                self._pieces.clear()
            self._pieces[text] = self._ids(text, add_special_tokens=False)
        return self._pieces[text]

    def _ids(self, text: str, *, add_special_tokens: bool) -> tuple[int, ...]:
        if self._engine is None:
            return tuple(self.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])
        (encoding,) = self._engine.encode_batch_fast([text], add_special_tokens=add_special_tokens)
        return tuple(encoding.ids)

    def _end_text(self, token: int) -> str:
        """Return the text of a special token that ended an answer; "" for any other."""
        if token not in self._end_texts:
            is_special = token in self.tokenizer.all_special_ids  # a list that is made anew each time
            self._end_texts[token] = str(self.tokenizer.decode([token])) if is_special else ""
        return self._end_texts[token]


class _Pieces(NamedTuple):
    text: str
    ids: tuple[int, ...]
    opening: str


def _prompt(pieces: Sequence[_Pieces], dropped_turns: int) -> Prompt:
    """Return the prompt that consists of these pieces, of which the first opens the thought, if any."""
    ids = tuple(chain.from_iterable(part.ids for part in pieces))
    return Prompt("".join(part.text for part in pieces), ids, dropped_turns, pieces[0].opening)


def _as_of(history: History, last: int) -> History:
    """Return what was known when `last` of the turns had passed."""
    n_turns = len(history.turns)
    if last == n_turns:
        return history
    now = history.turns[last]
    return replace(
        history,
        step=history.step - n_turns + last,
        turns=history.turns[:last],
        observation=now.observation,
        admissible_commands=now.admissible_commands,
    )


def first_shown(n_turns: int, fits: Callable[[int, int], bool]) -> int | None:
    """Return the first turn that a chat of `n_turns` past turns shows; None where not even none of them fits.

    A chat that has grown too long drops the older half of what it shows, so that it can grow again for a while, and
    what was read stays a prefix meanwhile. Which turns those are depends on the episode alone: the drops of the
    earlier steps are gone through again. `fits(first, last)` says whether turns `first` to `last` - 1 and the
    observation after them fit; what fits, fits also without its last turn.
    """
    if fits(0, n_turns):
        return 0
    first = 0
    for last in range(n_turns + 1):
        while first < last and not fits(first, last):
            first += (last - first + 1) // 2
    return first if fits(first, n_turns) else None


def _bare_engine(tokenizer: Any) -> Any:
    """Return the engine behind a tokenizer whose ids are the engine's own; None where its class does more.

    Asked directly, without the places of tokens in the text, it takes two thirds of the time for the same ids.
    """
    from transformers import PreTrainedTokenizerFast

    kind = type(tokenizer)
    if not isinstance(tokenizer, PreTrainedTokenizerFast) or any(
        getattr(kind, name, None) is not getattr(PreTrainedTokenizerFast, name, None)
        for name in ("__call__", "_encode_plus", "_batch_encode_plus", "set_truncation_and_padding")
    ):
        return None
    tokenizer("")  # takes off what the file says of truncation and padding, as each call would
    engine = tokenizer.backend_tokenizer
    return engine if hasattr(engine, "encode_batch_fast") else None


def _opening(text: str) -> str:
    return "<think>" if text.rstrip().endswith("<think>") else ""


def load_chat_format(checkpoint: Checkpoint) -> ChatFormat:
    """Return the folder's tokenizer with its template; raises PolicyError where it cannot be loaded."""
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingDependencyError(
            f"a model's tokenizer needs transformers: {install_hint('transformers')}"
        ) from None
    try:
        return ChatFormat(AutoTokenizer.from_pretrained(str(checkpoint.path), local_files_only=True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"the tokenizer in {checkpoint.path} cannot be loaded: {line}") from error
