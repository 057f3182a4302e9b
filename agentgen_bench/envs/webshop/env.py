"""WebShopEnv: Gymnasium's view of a visit to the shop."""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, get_args

from agentgen_bench.checks import checked_flag, checked_text, chosen
from agentgen_bench.contract import Analysis
from agentgen_bench.envs.base import PARAPHRASES, Outcome, TextEnv, checked_range, read_action
from agentgen_bench.envs.webshop import FAMILY, oracle
from agentgen_bench.envs.webshop.generate import GeneratedSource
from agentgen_bench.envs.webshop.given import given_levels
from agentgen_bench.envs.webshop.levels import Level, drawn_price, generated_level, official_level
from agentgen_bench.envs.webshop.nouns import noun_finder
from agentgen_bench.envs.webshop.reward import OptionsMode, reward_parts
from agentgen_bench.envs.webshop.session import Page, Session, Shelves, ShopRules, after, clickables
from agentgen_bench.envs.webshop.settings import LevelSettings, PriceKnob, level_settings
from agentgen_bench.envs.webshop.shelf import UNSAID, PaidShelf, place_of, shelf_text
from agentgen_bench.envs.webshop.shop import DataSource, Shop, open_shop
from agentgen_bench.envs.webshop.text import PAGE_FORMATS, SEPARATOR, PageFormat, sections
from agentgen_bench.envs.webshop.wording import PHRASINGS, Phrasing
from agentgen_bench.errors import DataError, SpecError
from agentgen_bench.homes import expanded
from agentgen_bench.seeding import key_digest
from agentgen_bench.text import Richness, Section

PAPER = "paper"
DATA_VARIABLE = "AGENTGEN_WEBSHOP_DATA"
OPTIONS_MODES: tuple[OptionsMode, ...] = get_args(OptionsMode)
N_PRODUCTS = 1000
MAX_PRODUCTS = 1_000_000
MAX_STEPS = 15
MAX_QUERY_CHARS = 480


class WebShopEnv(TextEnv):
    """Buy the product a request describes (Yao et al. 2022, arXiv:2207.01206), without Java, spaCy or a web server.

    Description:
        A shop with a search engine, result pages of ten, item pages with options, and sub-pages for description,
        features and reviews. The request names a kind of product, attributes, option values and a price limit. By
        default the shop is generated: 1,000 products of 60 types in five departments (10 more types in `ood_types`), in
        clusters of one wanted product and near-duplicates that each miss exactly one wish. Level n of a split is
        decided by the settings and n.

    Observation:
        The original's pages, character for character. `page_format="text"` (default) is its `text` mode, parts joined
        by ` [SEP] `; `page_format="text_rich"` marks buttons and chosen options (`[button] .. [button_]`). base is the
        page. lean is the stretch of it that holds news: the request on the search page, the list on result pages,
        options, title and price on item pages, the text on sub-pages; the repeated request and the fixed buttons are
        left out. rich adds below the page the visit so far and all there is to know about the open item.

    Actions:
        `search[<words>]` on every page (`strict_search=True`: on the search page only), `click[<what is shown>]`:
        buttons, product numbers, option values. Read as in every family (`read_action`): without regard to case, runs
        of white space and a full stop at the end. `admissible_commands` lists every click and one search,
        for the words of the request itself: of the endless queries it is the one that tells nothing the page does not.

    Reward:
        0 until `click[buy now]`, then the original's r_type * (attributes + options + price kept) / (wishes + 1), in
        [0, 1]. `score` is that reward; success is 1.0.

    Episode end:
        Terminated by buying; truncated after `max_steps` (15).

    Info:
        See `TextEnv`. `level_id` is a hash of the goal and the target product.

    Knobs:
        difficulty: easy, medium, hard (generated goals: 1/1/1, 2/2/5, 4/3/12 attributes, options, near-duplicates), or
        `paper`: the original's goals on the original's data. n_attributes (1 to 5), n_options (0 to 3), n_confusables
        (0 to 20), price (none, loose, tight) override the preset. n_products: size of the generated catalogue, or how
        many records of the data to read (None: 1,000, or all). phrasing: varied, or plain as the original's synthetic
        requests. paraphrase: 0, the request in its own words; any other number, a wording that it and the level choose,
        of those that phrasing=varied draws from. data: folder with items_shuffle*.json, items_ins_v2*.json and, where
        human_goals is set, items_human_ins.json (each may be .gz); without it the environment variable
        AGENTGEN_WEBSHOP_DATA. human_goals: requests written by people. goals: a JSON file of goals over the data, in
        the original's form (`given_levels`); level n is the n-th, counted round, and `split` then decides nothing.
        nouns: catalog, rules or spacy:<model>, what finds the nouns of titles for r_type (None: catalog where
        generated, rules on data). options: list, or original (see below). page_format, strict_search, show_attributes
        (a fourth sub-page), max_steps. fact: none, or shelf, with generated goals: the shop sells the first places of
        its lists, and the wanted product, where a search finds it, stands in one place (2 to 10) that no text says; the
        page says that some places are paid for. In a pack the place is the pack's (docs/lifecycle.md).

        Splits: train, valid, test share no product; ood_types has product types that the others lack; ood_phrasing asks
        level n of test in ways of wording that no other split uses (on data: by people where human_goals is unset, and
        the other way round).

    Differences from the original (princeton-nlp/WebShop, commit 64fa2a5c) and why:
        - Prices within a range and price limits come from the seed; its unseeded global generator drew new ones in
          every process.
        - Wanted options are a list of values; it compared the printed (name, value) pairs, so 458 of its 6,910
          synthetic goals could not score 1.0. `options="original"` keeps that. Goals that no purchase can meet are not
          drawn.
        - Splits are disjoint in products; 95.8 % of the products of its test goals are in its train split too, and
          shuffles per worker as in verl-agent put 91 % of validation goals into a training pool.
        - Nouns of titles come from the catalogue or rules, not from en_core_web_sm, unless `nouns` names a model.
        - Queries `<r>`, `<a>`, `<c>`, `<q>` are words like any others. The first ten hits of all 2,400
          recorded queries are the original's, in its order.
        - Its fuzzy cut is kept on data, where `small` equals `x-small` and `pack of 6` equals `pack of 24`; the
          generated vocabulary has no such pair.

    Version history:
        v0: first version.
    """

    family: ClassVar[str] = "WebShop"
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test", "ood_types", "ood_phrasing")
    difficulties: ClassVar[tuple[str, ...]] = FAMILY.difficulties
    fact_kinds: ClassVar[tuple[str, ...]] = ("none", "shelf")
    action_templates: ClassVar[tuple[str, ...]] = (
        "search[<words>]",
        "click[<product number>]",
        "click[<option value>]",
        "click[description]",
        "click[features]",
        "click[reviews]",
        "click[next >]",
        "click[< prev]",
        "click[back to search]",
        "click[buy now]",
    )
    max_observation_chars: ClassVar[int] = 65_536

    def __init__(
        self,
        *,
        richness: str | Richness = "base",
        difficulty: str = "easy",
        split: str = "train",
        n_attributes: int | None = None,
        n_options: int | None = None,
        n_confusables: int | None = None,
        price: PriceKnob | None = None,
        n_products: int | None = None,
        phrasing: Phrasing = "varied",
        data: str | None = None,
        human_goals: bool = False,
        goals: str | None = None,
        nouns: str | None = None,
        options: OptionsMode = "list",
        page_format: PageFormat = "text",
        strict_search: bool = False,
        show_attributes: bool = False,
        paraphrase: int = 0,
        max_steps: int = MAX_STEPS,
        fact: str = "none",
        render_mode: str | None = None,
    ) -> None:
        """Open the shop of the settings; see the class for what they mean."""
        super().__init__(richness=richness, difficulty=difficulty, split=split, render_mode=render_mode, fact=fact)
        chosen("phrasing", phrasing, PHRASINGS)
        chosen("options", options, OPTIONS_MODES)
        chosen("page_format", page_format, PAGE_FORMATS)
        self.max_steps: int = checked_range("max_steps", max_steps, 1, 1000)
        self.human_goals: bool = checked_flag("human_goals", human_goals)
        self.phrasing, self.options_mode, self.page_format = phrasing, options, page_format
        self._paraphrase = checked_range("paraphrase", paraphrase, 0, PARAPHRASES - 1)
        self._rules = ShopRules(
            checked_flag("strict_search", strict_search), checked_flag("show_attributes", show_attributes)
        )
        given = {
            "n_attributes": n_attributes, "n_options": n_options, "n_confusables": n_confusables, "price": price
        }  # fmt: skip
        if difficulty == PAPER:
            fact_given = None if fact == "none" else fact
            _refuse("generated goals only", {**given, "paraphrase": paraphrase or None, "fact": fact_given})
            goals = None if goals is None else checked_text("goals", goals, "a JSON file of goals")
            source: GeneratedSource | DataSource = _data_source(data, n_products)
        else:
            _refuse(f"difficulty={PAPER!r} only", {"data": data, "human_goals": human_goals or None, "goals": goals})
            if split == "ood_phrasing" and phrasing == "plain":
                raise SpecError("phrasing='plain' has one wording and so no ood_phrasing; choose phrasing='varied'")
            settings = level_settings(difficulty, n_attributes, n_options, n_confusables, price)
            catalogue = "test" if split == "ood_phrasing" else split
            source = GeneratedSource(catalogue, settings, _catalogue_size(n_products, settings))
        self.nouns: str = nouns or ("rules" if difficulty == PAPER else "catalog")
        noun_finder(self.nouns)
        self._shop: Shop = open_shop(source)
        self._paid_place: int | None = None  # of the wanted product in its lists, where the first ones are sold
        if goals is not None and human_goals:
            raise SpecError(f"goals={goals!r} brings its own goals; leave out human_goals")
        self._given = None if goals is None else given_levels(goals, self._shop, self.nouns)
        self._session = Session()
        self._level: Level | None = None

    @property
    def levels_are_listed(self) -> bool:
        """Whether they are goals of a file: given ones, or those of the original's products."""
        return self._given is not None or self.difficulty == PAPER

    @property
    def _shelves(self) -> Shelves:
        """What the shop lists: the catalogue's hits, or those of one that sells its first places.

        Not kept: a copy of the environment opens its shop anew.
        """
        catalogue = self._shop.catalogue
        if self._paid_place is None or self._level is None:
            return catalogue
        return PaidShelf(catalogue, self._level.target, self._paid_place)

    def _start(self, level_seed: int) -> None:
        finder = noun_finder(self.nouns)
        if self._given is not None:
            self._level = self._given[level_seed % len(self._given)]
        elif self.difficulty == PAPER:
            self._level = official_level(self._shop, level_seed, self.split, self.human_goals, finder)
        else:
            held_out = self.split == "ood_phrasing"
            self._level = generated_level(self._shop, level_seed, self.phrasing, held_out, finder, self._paraphrase)
        self.task, self.level_id = self._level.goal.instruction, self._level.level_id
        self._paid_place = None
        if self.fact_seed is not None:
            self._paid_place = place = place_of(self.fact_seed)
            self.level_id = f"webshop:{key_digest(self.level_id, self.fact, place).hex()[:16]}"
        self.success, self.score = False, 0.0
        self._session = Session()

    def _apply(self, action: str) -> Outcome:
        session = after(self._session, action, self._shelves, self._rules)
        if session is None:
            session = after(self._session, read_action(action), self._shelves, self._rules)
        if session is None:
            return Outcome(0.0, False, False)
        self._session = session
        if session.page is not Page.DONE:
            return Outcome(0.0, False, True)
        self.score: float = self._reward()
        self.success: bool = self.score == 1.0
        return Outcome(self.score, True, True)

    def _reward(self) -> float:
        """Return the reward of buying the open item with the values chosen."""
        product = self._shelves.product(self._session.item or 0)
        chosen = [value for _, value in self._session.chosen]
        nouns = noun_finder(self.nouns)(product)
        return reward_parts(
            product, self._goal_level.goal, chosen, drawn_price(product), nouns, self.options_mode
        ).reward

    def _sections(self) -> tuple[Section, ...]:
        is_list = self.fact_seed is not None and self._session.page is Page.RESULTS
        said = f"{UNSAID}{SEPARATOR if self.page_format == 'text' else chr(10)}" if is_list else ""
        shown = sections(
            self._session,
            self.task,
            self.score,
            self._shelves,
            self._rules,
            self.page_format,
            self.richness,
            self.max_observation_chars - len(said),
        )
        if not said:
            return shown
        first = next(i for i, section in enumerate(shown) if section.richness is Richness.LEAN)
        return (*shown[:first], Section(said, Richness.LEAN, "state"), *shown[first:])

    def _admissible_commands(self) -> tuple[str, ...]:
        page = self._session.page
        if page is Page.DONE:
            return ()
        shown = clickables(self._session, self._shelves, self._rules)
        clicks = [f"click[{target}]" for target in shown if target and target != "search"]
        if self._rules.strict_search and page is not Page.INDEX:
            return tuple(clicks)
        return (f"search[{_query_of(self.task)}]", *clicks)

    def expert_action(self) -> str:
        """Return the next action of the oracle, from whatever page the visit is on."""
        level = self._goal_level
        return oracle.next_action(self._session, level.goal, level.target, self._shelves, self._rules)

    @property
    def expert_length(self) -> int | None:
        """Number of actions of the oracle's plan: search, pages to turn, open, choose, buy."""
        level, session = self._goal_level, Session()
        for count in range(1, self.max_steps + 1):
            action = oracle.next_action(session, level.goal, level.target, self._shelves, self._rules)
            session = after(session, action, self._shelves, self._rules) or session
            if session.page is Page.DONE:
                return count
        return None

    def analysis(self) -> Analysis:
        """Return what was asked for, in numbers: attributes, options, and the limit where there is one."""
        goal = self._goal_level.goal
        return {
            "n_attributes": len(goal.attributes),
            "n_options": len(goal.options),
            "bought_target": int(self._session.page is Page.DONE and self._session.item == self._goal_level.target),
        }

    def fact_value(self) -> str:
        """Return in which place of a list the wanted product stands."""
        return "" if self.fact_seed is None else shelf_text(place_of(self.fact_seed))

    @property
    def _goal_level(self) -> Level:
        if self._level is None:
            raise SpecError("no level yet; call reset first")
        return self._level


def _catalogue_size(n_products: int | None, settings: LevelSettings) -> int:
    return checked_range(
        "n_products", N_PRODUCTS if n_products is None else n_products, 1 + settings.n_confusables, MAX_PRODUCTS
    )


def _data_source(data: str | None, n_products: int | None) -> DataSource:
    given = None if data is None else checked_text("data", data, "the folder of the original's data")
    folder = given or os.environ.get(DATA_VARIABLE)
    if not folder:
        raise DataError(
            f"difficulty={PAPER!r} needs the original's data; give data=<folder> or set {DATA_VARIABLE} "
            "(`agentgen-bench data webshop` downloads it)"
        )
    if n_products is not None:
        checked_range("n_products", n_products, 1, 10_000_000)
    return DataSource(str(expanded(folder, DataError).resolve()), n_products)


@lru_cache(maxsize=64)  # asked for at each step of a visit
def _query_of(task: str) -> str:
    """Return the words of a request as a query: no brackets or line ends, lower case, of bounded length."""
    return task.translate({ord(character): " " for character in "[]\r\n"})[:MAX_QUERY_CHARS].strip().lower()


def _refuse(where: str, given: Mapping[str, object]) -> None:
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None:
        raise SpecError(f"{name}={given[name]!r} belongs to {where}; leave it out")
