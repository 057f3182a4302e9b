"""The knobs that decide how hard WebShop's generated goals are, and the named difficulties."""

from typing import Literal, NamedTuple, get_args

from agentgen_bench.checks import chosen
from agentgen_bench.envs.base import checked_range

PriceKnob = Literal["none", "loose", "tight"]
PRICE_KNOBS: tuple[PriceKnob, ...] = get_args(PriceKnob)


class LevelSettings(NamedTuple):
    """How hard goals are: wishes per goal, near-duplicates per cluster, and how close the price limit is."""

    n_attributes: int
    n_options: int
    n_confusables: int
    price: PriceKnob


PRESETS = {
    "easy": LevelSettings(n_attributes=1, n_options=1, n_confusables=1, price="loose"),
    "medium": LevelSettings(n_attributes=2, n_options=2, n_confusables=5, price="loose"),
    "hard": LevelSettings(n_attributes=4, n_options=3, n_confusables=12, price="tight"),
}


def level_settings(
    difficulty: str,
    n_attributes: int | None,
    n_options: int | None,
    n_confusables: int | None,
    price: PriceKnob | None,
) -> LevelSettings:
    """Return the difficulty's settings with every knob that is not None put in their place.

    Raises:
        SpecError: a knob of the wrong type or outside its bounds.
    """
    preset = PRESETS[difficulty]
    return LevelSettings(
        checked_range("n_attributes", preset.n_attributes if n_attributes is None else n_attributes, 1, 5),
        checked_range("n_options", preset.n_options if n_options is None else n_options, 0, 3),
        checked_range("n_confusables", preset.n_confusables if n_confusables is None else n_confusables, 0, 20),
        chosen("price", preset.price if price is None else price, PRICE_KNOBS),
    )
