"""WebShop: shopping by request."""

from agentgen_bench.families import DIFFICULTIES, Actions, Family, PaperValues, ToolStyle, Version, Word

FAMILY = Family(
    name="WebShop",
    versions=(Version(0, "agentgen_bench.envs.webshop.env:WebShopEnv"),),
    role="You are shopping in a text-only web shop. You search, compare, choose options and buy one product.",
    actions=Actions(
        words=(
            Word("search", ("find", "query", "seek")),
            Word("click", ("press", "select", "tap")),
        ),
        buttons=(
            Word("Search", ("Find", "Look Up", "Query")),
            Word("Back to Search", ("New Search", "Start Over", "Begin Again")),
            Word("< Prev", ("< Back", "< Return", "< Earlier")),
            Word("Next >", ("More >", "Forward >", "Onward >")),
            Word("Description", ("About", "Summary", "Overview")),
            Word("Features", ("Highlights", "Details", "Key Points")),
            Word("Reviews", ("Ratings", "Opinions", "Feedback")),
            Word("Attributes", ("Properties", "Tags", "Characteristics")),
            Word("Buy Now", ("Purchase", "Order Now", "Check Out")),
        ),
        form="brackets",
    ),
    difficulties=(*DIFFICULTIES, "paper"),
    contextual="agentgen_bench.wrappers.contextual:WEBSHOP",
    volumes={"paper-v1": 30, "paper-v2": 40},
    medium="a page of a web shop",
    paper=PaperValues(3063, 33.9),
    tools=ToolStyle("words", parameters=("query", "element")),
)
