"""The original's reward, its parts, and the nouns of titles that decide its type factor.

reward = r_type * (matched attributes + matched options + price kept) / (|attributes| + |options| + 1)
(Yao et al. 2022, arXiv:2207.01206, section 3, and the code the authors published).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from rapidfuzz import fuzz

from agentgen_bench.envs.webshop.product import Product

FUZZY_CUT = 85.0  # two texts match above this token_set_ratio
NO_TITLE_NOUNS_SCORE = 0.2
OptionsMode = Literal["list", "original"]
NounFinder = Callable[[Product], Sequence[str]]

COLORS = (
    "alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel camo "
    "caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry cream "
    "crystal dark denim eggplant elephant espresso fuchsia gold granite grape graphite grass gray green grey heather "
    "indigo ivory ivy khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha "
    "multicolor mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal "
    "rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger turquoise "
    "violet walnut wheat white wine yellow"
).split()  # the original's list, in its order: the first one contained wins


class Goal(NamedTuple):
    """What is to be bought: a target, the attributes and option values asked for, and the price to stay within."""

    instruction: str
    asin: str
    title: str
    query: str
    product_category: str
    attributes: tuple[str, ...]
    options: tuple[tuple[str, str], ...]  # (name, value); the name is "" where a person wrote only the value
    price_upper: float  # dollars
    nouns: tuple[str, ...]  # of the target's title


class RewardParts(NamedTuple):
    """The reward and what it is made of; counts are of matches."""

    reward: float  # in [0, 1]
    r_type: float
    attributes: int
    options: int
    price: bool
    query_match: bool
    category_match: bool
    title_score: float


def reward_parts(
    product: Product,
    goal: Goal,
    chosen: Sequence[str],
    price: float,
    nouns: Sequence[str],
    options_mode: OptionsMode = "list",
) -> RewardParts:
    """Return the reward for buying `product` with the option values `chosen` at `price` dollars.

    `nouns` are those of the product's title. `options_mode="original"` compares each chosen value with the printed
    (name, value) pair, as the original does for its synthetic goals; 458 of its 6,910 can then never reach 1.0.
    """
    query_match = product.query == goal.query
    category_match = len(_categories(product.product_category) & _categories(goal.product_category)) >= 2
    title_score = _title_score(nouns, goal.nouns)
    r_type = _type_factor(query_match or category_match, title_score)
    attributes = matched_attributes(product, goal.attributes)
    options = _matched_options(chosen, goal, options_mode)
    price_kept = price <= goal.price_upper
    total = (attributes + options + price_kept) / (len(goal.attributes) + len(goal.options) + 1)
    return RewardParts(
        total * r_type, r_type, attributes, options, price_kept, query_match, category_match, title_score
    )


def matched_attributes(product: Product, wanted: Sequence[str]) -> int:
    """Return how many of the wanted attributes the product has, by its list or by its texts."""
    return sum(1 for attribute in wanted if has_attribute(product, attribute))


def has_attribute(product: Product, wanted: str) -> bool:
    """Return whether a listed attribute matches, or title, bullets or description contain the words."""
    if any(fuzz.token_set_ratio(found, wanted) > FUZZY_CUT for found in product.attributes):
        return True
    texts = (product.title, " ".join(product.bullets), product.description)
    return any(wanted in text.lower() for text in texts)


def same_option(chosen: str, wanted: str) -> bool:
    """Return whether the reward takes one option value for the other, after reducing both to a colour they name."""
    return fuzz.token_set_ratio(normalized_color(chosen), normalized_color(wanted)) > FUZZY_CUT


@lru_cache(maxsize=65_536)
def normalized_color(value: str) -> str:
    """Return the first colour of the original's list that the value contains, else the value."""
    return next((color for color in COLORS if color in value), value)


def _matched_options(chosen: Sequence[str], goal: Goal, mode: OptionsMode) -> int:
    if mode == "list":
        return sum(1 for _, wanted in goal.options if any(same_option(value, wanted) for value in chosen))
    found = [normalized_color(value) for value in chosen]
    return sum(
        1
        for pair in goal.options
        if any(fuzz.token_set_ratio(value, _printed_pair(pair)) > FUZZY_CUT for value in found)
    )


def _printed_pair(pair: tuple[str, str]) -> str:
    """Return what the original compares: a colour equal to the name or value, else the printed tuple."""
    return next((color for color in COLORS if color in pair), str(pair))


def _categories(path: str) -> frozenset[str]:
    return frozenset([part.strip() for part in path.split("›")])


def _title_score(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the share of the wanted title's nouns that the bought title has; a repeated noun counts once above."""
    return len({*found} & {*wanted}) / len(wanted) if wanted else NO_TITLE_NOUNS_SCORE


def _type_factor(same_kind: bool, title_score: float) -> float:
    if title_score == 0.0:
        return 0.0
    if title_score < 0.1:
        return 0.1
    return 1.0 if same_kind or title_score > 0.2 else 0.5
