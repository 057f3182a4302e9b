"""The shop's pages as text: the original's `text` and `text_rich` renderings, cut into sections.

A page is a list of text nodes, as the original's parser finds them in its HTML. Base is the page itself; lean is
the stretch of it that holds what is new (no repeated instruction, no fixed buttons); rich adds, below the page, what
the agent could look up about the open item and its own visit.
"""

import json
from collections.abc import Sequence
from functools import cache, lru_cache, partial
from typing import Literal, NamedTuple, get_args

from agentgen_bench.envs.webshop.product import Product, Review
from agentgen_bench.envs.webshop.session import HITS_PER_PAGE, Page, Session, Shelves, ShopRules, item_buttons
from agentgen_bench.envs.webshop.wording import task as task
from agentgen_bench.text import Button, Entry, Richness, Section, Source, Spans

PageFormat = Literal["text", "text_rich"]
PAGE_FORMATS: tuple[PageFormat, ...] = get_args(PageFormat)
SEPARATOR = " [SEP] "
RESULTS_HEADING, PRICE_LABEL = "Page {page} (Total results: {hits})", "Price: "
CUT_MARK = " ..."
_INDENTS = {"button": "", "link": "\n", "option": "  "}
_LEAN, _BASE, _RICH = Richness.LEAN, Richness.BASE, Richness.RICH
# Where a page of results may hold one more product, and an item's page one more remark.
PRODUCT_ENTRY, REMARK_ENTRY = "product", "remark"
_PRODUCT_ENTRIES = {"text": Entry(PRODUCT_ENTRY, SEPARATOR), "text_rich": Entry(PRODUCT_ENTRY, "\n")}
_REMARK_ENTRIES = {"text": Entry(REMARK_ENTRY, SEPARATOR), "text_rich": Entry(REMARK_ENTRY, "\n")}


Kind = Literal["plain", "button", "link", "option", "price"]
Node = tuple[str, Kind, bool]  # a piece of visible text, what it is, and whether it was clicked before


class Piece(NamedTuple):
    """Neighbouring nodes that become one section."""

    nodes: tuple[Node, ...]
    richness: Richness
    source: Source = "state"


def sections(
    session: Session,
    instruction: str,
    reward: float,
    shelves: Shelves,
    rules: ShopRules,
    page_format: PageFormat,
    richness: Richness,
    max_chars: int,
) -> tuple[Section, ...]:
    """Return the observation in parts, only those shown at `richness`, together at most `max_chars` long."""
    pieces = _pieces(session, instruction, reward, shelves, rules, marked=page_format == "text_rich")
    remark = _REMARK_ENTRIES[page_format] if session.page is Page.ITEM else None
    rendered = _as_text(pieces, remark) if page_format == "text" else _as_rich_text(pieces, remark)
    if richness is _RICH:
        line_entry = remark if page_format == "text_rich" else None
        rendered += [
            Section(text if line_entry is None else _lines(text, line_entry), _RICH, "state")
            for text in _details(session, shelves)
        ]
    shown = [section for section in rendered if section.richness <= richness]
    if session.page is Page.RESULTS and not session.shown:
        first = next(i for i, section in enumerate(shown) if section.source == "state")
        shown[first] = shown[first].with_spans((*shown[first].spans, _PRODUCT_ENTRIES[page_format]))
    return _within(tuple(shown), max_chars)


def page_text(
    session: Session, instruction: str, reward: float, shelves: Shelves, rules: ShopRules, page_format: PageFormat
) -> str:
    """Return the whole page in one of the original's two renderings, uncut."""
    parts = sections(session, instruction, reward, shelves, rules, page_format, _BASE, 1 << 30)
    return "".join([section.text for section in parts])


def _pieces(
    session: Session, instruction: str, reward: float, shelves: Shelves, rules: ShopRules, *, marked: bool
) -> list[Piece]:
    if session.page is Page.INDEX:
        task = (*_plain("Instruction: "), *_plain(instruction))
        return [Piece(_plain("WebShop"), _BASE), Piece(task, _LEAN, "task"), Piece(_buttons("Search"), _LEAN)]
    if session.page is Page.DONE:
        return [
            Piece(_plain("Thank you for shopping with us!"), _LEAN),
            Piece(_receipt(session, reward, shelves), _BASE),
        ]
    task = (*_plain("Instruction:"), *_plain(instruction))
    head = [Piece(task, _BASE, "task"), Piece(_buttons("Back to Search"), _BASE)]
    if session.page is Page.RESULTS:
        return [*head, Piece(_results(session, shelves, marked), _LEAN)]
    product = _open_product(session, shelves)
    if session.page is Page.ITEM:
        foot = (*_buttons(*[str(page).capitalize() for page in item_buttons(rules)]), *_buttons("Buy Now"))
        rating = _plain(f"Rating: {product.rating}")
        return [*head, Piece(_item(product, session, marked), _LEAN), Piece((*rating, *foot), _BASE)]
    return [*head, Piece((*_buttons("< Prev"), *_sub_page(product, session.page)), _LEAN)]


def _plain(text: str) -> tuple[Node, ...]:
    """Return the node of a text as the original's HTML parser keeps it: empty ones and lone line ends vanish."""
    if not text.strip():
        return () if not text or "\n" in text else ((" ", "plain", False),)
    return ((text, "plain", False),)


def _all_plain(*texts: str) -> tuple[Node, ...]:
    return tuple([node for text in texts for node in _plain(text)])


@cache  # the labels are the pages' own few
def _buttons(*labels: str) -> tuple[Node, ...]:
    return tuple([(Button(label), "button", False) for label in labels])


def _results(session: Session, shelves: Shelves, marked: bool) -> tuple[Node, ...]:
    nodes: list[Node] = [*_plain(RESULTS_HEADING.format(page=session.results_page, hits=len(session.hits)))]
    nodes += _buttons(*(("< Prev", "Next >") if session.results_page > 1 else ("Next >",)))
    for number in session.shown:
        product = shelves.product(number)
        if not marked:
            nodes.append(_listed(product.asin, product.title, product.price_tag))
            continue
        nodes.append((product.asin, "link", number in session.opened))
        nodes += _plain(product.title)
        nodes.append((product.price_tag, "price", False))
    return tuple(nodes)


@lru_cache(maxsize=4096)  # searches of one shop list the same products
def _listed(asin: str, title: str, price_tag: str) -> Node:
    """Return the three nodes of a listed product as one, as mode `text` joins them."""
    texts = (asin, *[text for text, _, _ in _plain(title)], price_tag)
    return SEPARATOR.join([text.strip() for text in texts]), "price", False


def _item(product: Product, session: Session, marked: bool) -> tuple[Node, ...]:
    nodes = list(_buttons("< Prev"))
    address = _address(session) if marked else ""
    for name, values in product.options:
        nodes += _plain(name)
        nodes += [(value, "option", f'"{value}"' in address) for value in values if value]
    return (*nodes, *_plain(product.title), *_plain(f"{PRICE_LABEL}{product.price_tag}"))


def _address(session: Session) -> str:
    """Return the end of the original's page address.

    It marks an option as clicked where the address holds the quoted value. So values with quotes or non-ASCII
    letters, which JSON escapes, are never marked, and a query may mark one; the generated catalogue has neither.
    """
    return f"{'+'.join(session.query.split(' '))}/{session.results_page}/{json.dumps(dict(session.chosen))}"


def _sub_page(product: Product, page: Page) -> tuple[Node, ...]:
    if page is Page.DESCRIPTION:
        return _plain(product.description)
    if page is Page.REVIEWS:
        return tuple(node for review in product.reviews for node in _review(review))
    if page is Page.ATTRIBUTES:
        listed = [node for attribute in product.attributes for node in _plain(f" {attribute}")]
        kinds = (product.category, product.query, product.product_category)
        return (*listed, *[node for kind in kinds for node in _plain(kind)])
    return tuple(node for bullet in product.bullets for node in _plain(f" {bullet}"))


def _review(review: Review) -> tuple[Node, ...]:
    return (*_plain(f'"{review.title}"'), *_plain(str(review.score)), *_plain(review.body))


def _receipt(session: Session, reward: float, shelves: Shelves) -> tuple[Node, ...]:
    """Return the rest of the last page; of what was wanted it shows the headings only, as in the original."""
    chosen = json.dumps(dict(session.chosen), sort_keys=True) if session.chosen else "{}"
    for character in "<>&'":
        chosen = chosen.replace(character, f"\\u{ord(character):04x}")
    asin = _open_product(session, shelves).asin
    return (*_PURCHASED, *_plain(asin), *_OPTIONS, *_plain(chosen), *_WANTED, *_plain(str(reward)), *_DETAILS)


_PURCHASED = _all_plain("Your code: ", "None", " (Paste it in your MTurk interface.)", "Purchased", "asin")
_OPTIONS = _all_plain("options")
_WANTED = _all_plain(
    *[text for heading in ("attrs", "category", "query", "product category") for text in (heading, "None")],
    *("Target", "asin", "options", "attrs", "price upper", "instuction text", "category", "product category"),
    *("query", "Goal ", "None", "Reward", "Your score (min 0.0, max 1.0)"),
)
_DETAILS = _all_plain("Reward Details ", "None")


def _open_product(session: Session, shelves: Shelves) -> Product:
    if session.item is None:
        raise ValueError(f"no item is open on page {session.page}")
    return shelves.product(session.item)


def _as_text(pieces: Sequence[Piece], remark: Entry | None) -> list[Section]:
    """Return the pieces joined by separators; those belong to whatever is left out first."""
    last_lean = max([i for i, piece in enumerate(pieces) if piece.richness is _LEAN])
    found = []
    for i, (nodes, richness, source) in enumerate(pieces):
        text = SEPARATOR.join([text.strip() for text, _, _ in nodes])
        if i < last_lean:
            text = f"{text}{SEPARATOR}" if nodes else SEPARATOR
        elif i > last_lean and nodes:
            text = f"{SEPARATOR}{text}"
        read = None if source == "task" else partial(_text_spans, nodes, remark, i - last_lean)
        found.append(Section(text, richness, source, read))  # in the task is neither a button nor room for an entry
    return found


def _text_spans(nodes: tuple[Node, ...], remark: Entry | None, place: int, _text: str) -> Spans:
    """Return the spans of nodes in mode `text`; a separator ends them where `place` < 0, and begins them where > 0.

    A separator and the text behind it are one span, so that whoever looks for buttons and entries has less to look at.
    """
    between = () if remark is None else (remark,)
    spans: list[str] = []
    for text, kind, _ in nodes:
        if kind == "button":
            spans += (*between, SEPARATOR, text)
            continue
        spans += between
        spans.append(SEPARATOR + text.strip())
        if kind == "price":
            spans.append(_PRODUCT_ENTRIES["text"])
    if place <= 0 and nodes:  # nothing goes before the first
        at = len(between)
        spans[: at + 1] = [first] if (first := spans[at][len(SEPARATOR) :]) else []
    return (*spans, *between, SEPARATOR) if place < 0 else tuple(spans)


def _as_rich_text(pieces: Sequence[Piece], remark: Entry | None) -> list[Section]:
    marked = [text for piece in pieces for text, kind, clicked in piece.nodes if kind == "option" and clicked]
    notes = "".join([f"You have clicked {value}.\n" for value in reversed(marked)])
    found = [
        Section(
            tuple([span for node in piece.nodes for span in _rich_node(node, remark)]), piece.richness, piece.source
        )
        for piece in pieces
    ]
    return [Section(_lines(notes, remark), _BASE, "state"), *found] if notes else found


def _rich_node(node: Node, remark: Entry | None) -> Spans:
    text, kind, clicked = node
    if kind == "price":
        return (text, _PRODUCT_ENTRIES["text_rich"], "\n")
    if kind == "plain":
        return _lines(f"{text}\n", remark)
    mark = "clicked button" if clicked else "button"
    if kind == "button":
        return ("[button] ", text, " [button_]", *_lines("\n", remark))
    return _lines(f"{_INDENTS[kind]}[{mark}] {text} [{mark}_]\n", remark)


def _lines(text: str, entry: Entry | None) -> Spans:
    """Return the text with an entry at the end of each line, where there is one to put."""
    if entry is None:
        return (text,)
    first, *others = text.split("\n")
    return (first, *[span for other in others for span in (entry, f"\n{other}")])


def _details(session: Session, shelves: Shelves) -> list[str]:
    """Return what rich adds below the page: the visit so far, and all that is known about the open item."""
    if session.page is Page.RESULTS:
        return [_results_note(session, shelves)]
    if session.item is None or session.page is Page.DONE:
        return []
    product = shelves.product(session.item)
    texts = [_item_note(session, product)]
    texts += [f"\nDescription: {product.description}"] if product.description.strip() else []
    texts += ["\nFeatures:" + "".join([f"\n- {bullet.strip()}" for bullet in product.bullets if bullet.strip()])]
    texts += ["\nAttributes: " + ", ".join(product.attributes)] if product.attributes else []
    if product.reviews:
        lines = [f'\n- {review.score:g} of 5, "{review.title}": {review.body}' for review in product.reviews]
        texts.append(f"\nReviews (average {product.rating}):" + "".join(lines))
    return texts


def _results_note(session: Session, shelves: Shelves) -> str:
    first = (session.results_page - 1) * HITS_PER_PAGE
    shown = f"results {first + 1} to {first + len(session.shown)}" if session.shown else "no results"
    opened = ", ".join([shelves.product(number).asin for number in session.opened]) or "none"
    return f'\n\nYou searched for "{session.query}" and see {shown} of {len(session.hits)}. Opened so far: {opened}.'


def _item_note(session: Session, product: Product) -> str:
    chosen = dict(session.chosen)
    options = [f"{name} = {chosen.get(name, 'not chosen')}" for name, _ in product.options]
    choice = f" Options: {'; '.join(options)}." if options else " It has no options."
    return f'\n\nOpen item: {product.asin} ({product.product_category}), found with "{session.query}".{choice}'


def _within(found: tuple[Section, ...], max_chars: int) -> tuple[Section, ...]:
    """Return the sections cut from the end until they fit; real catalogues hold texts of any length."""
    if sum([len(section.text) for section in found]) <= max_chars:
        return found
    room, kept = max_chars, []
    for section in found:
        if len(section.text) > room:
            section = section.with_spans((*_first(section.spans, room - len(CUT_MARK)), CUT_MARK[: max(room, 0)]))
        room -= len(section.text)
        if section.text:
            kept.append(section)
    return tuple(kept)


def _first(spans: Spans, n_chars: int) -> Spans:
    """Return the first characters of the spans; a span that is cut is plain text."""
    kept: list[str] = []
    for span in spans:
        if len(span) > n_chars:
            return (*kept, str.__getitem__(span, slice(max(n_chars, 0))))
        kept.append(span)
        n_chars -= len(span)
    return tuple(kept)
