"""The expert: search for the target, open it, choose what was asked for, buy; from any page of any visit."""

from agentgen_bench.envs.webshop.product import Product
from agentgen_bench.envs.webshop.reward import Goal, matched_attributes, same_option
from agentgen_bench.envs.webshop.session import BUY, HITS_PER_PAGE, NEXT, PREVIOUS, Page, Session, Shelves, ShopRules

MAX_QUERY_CHARS = 480  # an action has at most 512


def choices(product: Product, goal: Goal) -> tuple[tuple[str, str], ...] | None:
    """Return the (option name, value) pairs to choose for reward 1.0 on `product`, None where no choice gives it."""
    if matched_attributes(product, goal.attributes) < len(goal.attributes):
        return None
    picked: dict[str, str] = {}
    for _, wanted in goal.options:
        if any(same_option(value, wanted) for value in picked.values()):
            continue
        offered = [(_name_of(product, value), value) for _, values in product.options for value in values if value]
        fitting = [(name, value) for name, value in offered if name not in picked and same_option(value, wanted)]
        if not fitting:
            return None
        name, value = next((pair for pair in fitting if pair[1] == wanted), fitting[0])
        picked[name] = value
    return tuple(picked.items())


def next_action(session: Session, goal: Goal, target: int, shelves: Shelves, rules: ShopRules) -> str:
    """Return the next action towards buying the target with the options asked for."""
    if session.item == target:
        return _on_target(session, goal, shelves)
    if session.page is Page.RESULTS and target in session.hits:
        place = session.hits.index(target) // HITS_PER_PAGE + 1
        if place == session.results_page:
            return f"click[{shelves.product(target).asin.lower()}]"
        return f"click[{NEXT if place > session.results_page else PREVIOUS}]"
    if rules.strict_search and session.page is not Page.INDEX:
        return "click[back to search]"
    return f"search[{_query(goal, target, shelves)}]"


def _on_target(session: Session, goal: Goal, shelves: Shelves) -> str:
    if session.page is not Page.ITEM:
        return f"click[{PREVIOUS}]"
    needed = choices(shelves.product(session.item or 0), goal) or ()
    chosen = dict(session.chosen)
    missing = next((value for name, value in needed if chosen.get(name) != value), None)
    return f"click[{BUY}]" if missing is None else f"click[{missing}]"


def _query(goal: Goal, target: int, shelves: Shelves) -> str:
    """Return words that find the target: its title, or more of its text where others share that."""
    product = shelves.product(target)
    bullet = product.bullets[0] if product.bullets else ""
    options = " ".join([value for _, values in product.options for value in values])
    texts = (product.title, f"{product.title} {options}", f"{product.title} {bullet}", product.indexed_text)
    queries = [_plain(text) for text in texts]
    places = {query: _place(shelves.search(query.lower()), target) for query in queries}
    return min(queries, key=lambda query: places[query])


def _plain(text: str) -> str:
    """Return the text as the argument of an action: no brackets, no line ends, not too long."""
    for character in "[]\r\n":
        text = text.replace(character, " ")
    return text[:MAX_QUERY_CHARS].strip() or "a"


def _place(hits: tuple[int, ...], target: int) -> int:
    return hits.index(target) if target in hits else len(hits) + HITS_PER_PAGE


def _name_of(product: Product, value: str) -> str:
    """Return the option name a click on the value sets: the last one that has it."""
    return [name for name, values in product.options if value in values][-1]
