"""Agents that tests load by name."""

import asyncio
import os
import time

from agentgen_bench import Answer

log = []


class FollowsTheList:
    """Takes the first listed command, and says what happens to it."""

    def __init__(self):
        log.append("made")

    def reset(self, task, info):
        log.append(f"reset {task} {info['step']}")

    def act(self, observation, info):
        return info["admissible_commands"][0]

    def close(self):
        log.append("closed")


class Awaits(FollowsTheList):
    async def reset(self, task, info):
        await asyncio.sleep(0)
        log.append(f"reset {task} {info['step']}")

    async def act(self, observation, info):
        await asyncio.sleep(0.001)
        return Answer(
            f"I say <action>{info['admissible_commands'][0]}</action>",
            is_completion=True,
            prompt_tokens=5,
            completion_tokens=2,
            cost_usd=0.25,
        )


def make():
    return FollowsTheList()


def first(observation, info):
    return f" {info['admissible_commands'][0]}\n"


def breaks_at_two(observation, info):
    if info["step"] == 2:
        raise KeyError("my memory")
    return info["admissible_commands"][0]


def counts_seven_wrong(observation, info):
    return 7


def costs_nothing_sensible(observation, info):
    return Answer("1", cost_usd=float("nan"))


def counts_characters_of_the_world(observation, info):
    return Answer("up", prompt_tokens=10**12)


def sleeps(observation, info):
    if "Count to 2" in info["task"]:
        time.sleep(5)
    return info["admissible_commands"][0]


async def waits(observation, info):
    if "Count to 2" in info["task"]:
        await asyncio.sleep(60)
    return info["admissible_commands"][0]


class CannotClose(FollowsTheList):
    def close(self):
        raise OSError("the door is stuck")


def sleeps_on(observation, info):
    if "Count to 2" in info["task"]:
        time.sleep(600)
    return info["admissible_commands"][0]


class HasNoAct:
    pass


class Dies(FollowsTheList):
    def act(self, observation, info):
        print("this goes to standard error")
        if "Count to 2" in info["task"]:
            os._exit(3)
        return super().act(observation, info)


class Where(FollowsTheList):
    """Reports its process as what it spent."""

    def act(self, observation, info):
        return Answer(info["admissible_commands"][0], cost_usd=os.getpid())


def of_three(a, b, c):
    return ""


not_callable = 3
already_made = FollowsTheList()


class WantsAModel(FollowsTheList):
    def __init__(self, *, model):
        super().__init__()


def needs_a_service(observation, info):
    if os.environ.get("SERVICE_IS_DOWN"):
        raise ConnectionError("the service is down")
    return info["admissible_commands"][0]
