"""A small TextEnv for tests of the harness: say the numbers from 1 to the seed, which is at most 9."""

from agentgen_bench.envs.base import Outcome, TextEnv
from agentgen_bench.text import Richness, Section


class CountingEnv(TextEnv):
    """Each right number counts; `crash_at` names the action that makes it raise."""

    family = "Sokoban"
    difficulties = ("easy",)
    action_templates = ("<number>",)

    def __init__(self, *, crash_seed: int | None = None, max_steps: int = 12) -> None:
        super().__init__(richness="base", difficulty="easy", split="test", render_mode=None)
        self.crash_seed = crash_seed
        self.max_steps = max_steps
        self.closed = False

    def _start(self, level_seed: int) -> None:
        if level_seed == self.crash_seed:
            raise RuntimeError(f"level {level_seed} is broken")
        self.goal = level_seed % 9 + 1
        self.task = f"Count to {self.goal}."
        self.level_id = f"counting:{self.goal}"
        self.said = 0
        self.success, self.score = False, 0.0

    def _apply(self, action: str) -> Outcome:
        if action == "crash":
            raise RuntimeError("asked to crash")
        right = action == str(self.said + 1)
        self.said += right
        self.score = self.said / self.goal
        self.success = self.said == self.goal
        return Outcome(float(right), self.success, right)

    def _sections(self) -> tuple[Section, ...]:
        return (Section(f"{self.said} of {self.goal}", Richness.LEAN, "state"),)

    def _admissible_commands(self) -> tuple[str, ...]:
        return (str(self.said + 1),)

    def expert_action(self) -> str:
        return str(self.said + 1)

    @property
    def expert_length(self) -> int:
        return self.goal

    def analysis(self) -> dict[str, float | int | None]:
        return {"said": self.said}

    def close(self) -> None:
        self.closed = True
