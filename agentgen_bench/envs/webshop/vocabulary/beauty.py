"""Beauty and personal care."""

from agentgen_bench.envs.webshop.vocabulary.kinds import Department, Group, Option, ProductType

FREE_OF = Group(
    "Formula",
    "{a}",
    ("paraben free", "sulfate free", "silicone free"),
    ("A {a} formula, mild enough for every day.", "We kept the recipe {a} from the first batch on."),
)
SCENT = Group(
    "Scent",
    "{a}",
    ("fragrance free", "lavender scented", "citrus scented"),
    ("It is {a}, so you know what to expect when you open it.", "Pleasantly {a} from first to last use."),
)
ETHICS = Group(
    "Ethics",
    "{a}",
    ("cruelty free", "certified vegan", "fair trade"),
    ("Proudly {a}, from sourcing to packing.", "Every batch is {a} and checked by an outside lab."),
)
TESTED = Group(
    "Testing",
    "{a}",
    ("dermatologist tested", "clinically proven", "salon grade"),
    ("A {a} choice that professionals keep on their shelf.", "It is {a}, and we publish the results."),
)
SKIN = Group(
    "Skin type",
    "for {a}",
    ("sensitive skin", "dry skin", "oily skin", "mature skin"),
    ("Made with {a} in mind.", "Users with {a} notice the difference within two weeks."),
)
HAIR = Group(
    "Hair type",
    "for {a}",
    ("curly hair", "fine hair", "damaged hair", "color treated hair"),
    ("Developed for {a}.", "Gives {a} bounce and shine without weighing it down."),
)
CARE_INGREDIENT = Group(
    "Key ingredient",
    "with {a}",
    ("aloe vera", "hyaluronic acid", "tea tree oil", "vitamin c"),
    ("Enriched with {a}.", "The active part is {a}, in a generous dose."),
)
HAIR_INGREDIENT = Group(
    "Key ingredient",
    "with {a}",
    ("argan oil", "keratin", "biotin", "coconut milk"),
    ("Enriched with {a}.", "The active part is {a}, in a generous dose."),
)
PACKAGE = Group(
    "Packaging",
    "in a {a}",
    ("pump bottle", "squeeze tube", "glass jar"),
    ("Comes in a {a} that is easy to use with wet hands.", "The {a} keeps the last drop within reach."),
)
FINISH = Group(
    "Finish",
    "with a {a}",
    ("matte finish", "dewy finish", "satin finish"),
    ("Dries to a {a}.", "Leaves a {a} that looks good in daylight."),
)
WEAR = Group(
    "Wear",
    "{a}",
    ("long lasting", "waterproof", "smudge proof"),
    ("It is {a}, from breakfast to the last dance.", "A {a} product you put on once a day."),
)
APPLICATOR = Group(
    "Applicator",
    "with a {a}",
    ("precision tip", "sponge applicator", "angled brush"),
    ("Goes on evenly with its {a}.", "The {a} makes mistakes rare."),
)
HANDLE = Group(
    "Handle",
    "with a {a}",
    ("bamboo handle", "rubber grip", "folding handle"),
    ("Fitted with a {a}.", "The {a} sits well in the hand."),
)
BRISTLE = Group(
    "Bristles",
    "with {a}",
    ("boar bristles", "nylon bristles", "ceramic pins"),
    ("Set with {a} that glide through.", "Its {a} are gentle to the scalp."),
)
POWER = Group(
    "Power",
    "{a}",
    ("usb rechargeable", "battery operated", "corded"),
    ("It is {a}, so there is little to think about.", "A {a} device with a quiet motor."),
)
TRAVEL = Group(
    "Extras",
    "with a {a}",
    ("travel case", "wall mount", "charging dock"),
    ("Comes with a {a}.", "The {a} in the box keeps the bathroom tidy."),
)
KIT = Group(
    "Extras",
    "with a {a}",
    ("mirror lid", "cleaning comb", "velvet pouch"),
    ("Comes with a {a}.", "The {a} in the box is a nice touch."),
)
TIME = Group(
    "Time of use",
    "for {a}",
    ("overnight use", "morning routines", "after workouts"),
    ("Best for {a}.", "Many of our customers keep it for {a}."),
)

VOLUME = Option("size", "in the {v} size", ("4 oz", "8 oz", "12 oz", "16 oz", "33 oz"))
PACK = Option("pack", "as a {v}", ("single", "twin pack", "family pack", "refill"))
SHADE = Option("color", "in {v}", ("nude", "coral", "plum", "rose", "mocha", "burgundy", "peach"))
HAIR_SHADE = Option("color", "in {v}", ("black", "chestnut", "copper", "champagne", "burgundy", "walnut"))
STRENGTH = Option("strength", "in the {v} strength", ("gentle", "regular", "intense", "deep"))
TOOL_COLOR = Option("color", "in {v}", ("black", "white", "teal", "pink", "silver", "lavender"))
TOOL_SIZE = Option("model", "in the {v} model", ("compact", "regular", "professional", "kids"))
COVERAGE = Option("coverage", "with {v} coverage", ("sheer", "medium", "full", "buildable"))

SKIN_CARE = (FREE_OF, SCENT, ETHICS, SKIN, CARE_INGREDIENT, PACKAGE, TIME)
HAIR_CARE = (FREE_OF, SCENT, ETHICS, HAIR, HAIR_INGREDIENT, PACKAGE)
MAKE_UP = (WEAR, ETHICS, SKIN, FINISH, APPLICATOR, FREE_OF)
TOOLS = (POWER, HANDLE, TRAVEL, TESTED, TIME)
_P = "Beauty & Personal Care"

DEPARTMENT = Department("beauty", (
    ProductType("shampoo", "shampoos", "a", f"{_P} › Hair Care › Shampoo", (9, 34), HAIR_CARE,
                (VOLUME, PACK, STRENGTH)),
    ProductType("hair mask", "hair masks", "a", f"{_P} › Hair Care › Masks", (12, 40), HAIR_CARE,
                (VOLUME, PACK, STRENGTH)),
    ProductType("leave in conditioner", "leave in conditioners", "a", f"{_P} › Hair Care › Conditioners", (10, 36),
                HAIR_CARE, (VOLUME, PACK, STRENGTH)),
    ProductType("hair dye kit", "hair dye kits", "a", f"{_P} › Hair Care › Coloring", (8, 28),
                (FREE_OF, ETHICS, HAIR, HAIR_INGREDIENT, WEAR, TESTED), (HAIR_SHADE, PACK, STRENGTH)),
    ProductType("face moisturizer", "face moisturizers", "a", f"{_P} › Skin Care › Face › Moisturizers", (12, 60),
                SKIN_CARE, (VOLUME, PACK, STRENGTH)),
    ProductType("body lotion", "body lotions", "a", f"{_P} › Skin Care › Body › Lotions", (8, 32), SKIN_CARE,
                (VOLUME, PACK, STRENGTH)),
    ProductType("facial cleanser", "facial cleansers", "a", f"{_P} › Skin Care › Face › Cleansers", (9, 38), SKIN_CARE,
                (VOLUME, PACK, STRENGTH)),
    ProductType("night serum", "night serums", "a", f"{_P} › Skin Care › Face › Serums", (18, 75), SKIN_CARE[:-1],
                (VOLUME, PACK, STRENGTH), held_out=True),
    ProductType("liquid foundation", "liquid foundations", "a", f"{_P} › Makeup › Face › Foundation", (11, 48), MAKE_UP,
                (SHADE, COVERAGE, PACK)),
    ProductType("lipstick", "lipsticks", "a", f"{_P} › Makeup › Lips › Lipstick", (6, 30), MAKE_UP,
                (SHADE, COVERAGE, PACK)),
    ProductType("cream blush", "cream blushes", "a", f"{_P} › Makeup › Face › Blush", (7, 34), MAKE_UP,
                (SHADE, COVERAGE, PACK), held_out=True),
    ProductType("hair brush", "hair brushes", "a", f"{_P} › Hair Care › Styling › Brushes", (7, 35),
                (BRISTLE, HANDLE, HAIR, ETHICS, KIT, TIME), (TOOL_COLOR, TOOL_SIZE, PACK)),
    ProductType("facial cleansing brush", "facial cleansing brushes", "a", f"{_P} › Skin Care › Tools › Brushes",
                (15, 80),
                (*TOOLS, SKIN), (TOOL_COLOR, TOOL_SIZE, PACK)),
    ProductType("electric toothbrush", "electric toothbrushes", "an", f"{_P} › Oral Care › Toothbrushes", (18, 110),
                (*TOOLS, ETHICS), (TOOL_COLOR, TOOL_SIZE, PACK)),
), openings=(
    "This {name} started with a request from our own customers.",
    "A {name} you will want to buy again.",
    "Small changes make a good routine, and this {name} is one of them.",
    "We spent two years on this {name} before putting it on sale.",
), closings=(
    "Keep away from direct sunlight and use within twelve months of opening.",
    "If you are not happy with it, send it back within 30 days.",
    "Mixed and filled in small batches.",
), service=(
    "Satisfaction guaranteed: write to us and we answer within a day.",
    "Arrives in a plain recyclable box.",
    "A thoughtful gift for birthdays and holidays.",
), reviews=(
    ("Love it", 5, "I have used this {name} for a month and my friends have started to ask what I do differently."),
    ("Good value", 4, "Does what it says. The {name} arrived two days early and well packed."),
    ("It is okay", 3, "Nothing wrong with the {name}, but I expected more for the price."),
    ("Will buy again", 5, "Second order already. The whole family uses this {name} now."),
    ("Not for me", 2, "I wanted to like this {name}. It did not suit me, but the return was easy."),
))  # fmt: skip
