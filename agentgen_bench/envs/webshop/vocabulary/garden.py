"""Garden: home, kitchen and outdoor goods, as the original's category of that name."""

from agentgen_bench.envs.webshop.vocabulary.kinds import Department, Group, Option, ProductType

FRAME = Group(
    "Material",
    "made of {a}",
    ("solid oak", "bamboo", "powder coated steel", "tempered glass"),
    ("Made of {a}.", "We use {a} because it lasts for decades."),
)
SOFT = Group(
    "Material",
    "made of {a}",
    ("organic cotton", "linen", "velvet", "microfiber"),
    ("Made of {a}, soft from the first day.", "The cover is {a} of the better kind."),
)
OUTDOOR_FRAME = Group(
    "Material",
    "made of {a}",
    ("acacia wood", "cast aluminum", "galvanized steel", "recycled plastic"),
    ("Made of {a}.", "We use {a} because it stays outside all year."),
)
ASSEMBLY = Group(
    "Assembly",
    "with {a}",
    ("tool free assembly", "a preassembled frame", "a snap together kit"),
    ("Comes with {a}.", "With {a} the evening is yours."),
)
ROOM = Group(
    "Room",
    "for {a}",
    ("small apartments", "kids bedrooms", "entryways", "dining rooms"),
    ("Right for {a}.", "Looks at home in {a}."),
)
CORNER = Group(
    "Place", "for {a}", ("kids bedrooms", "guest rooms", "reading nooks"), ("Right for {a}.", "Looks at home in {a}.")
)
OUTDOOR = Group(
    "Place",
    "for {a}",
    ("balconies", "raised beds", "greenhouses", "patios"),
    ("Made for {a}.", "Equally happy in {a} of every kind."),
)
SURFACE = Group(
    "Surface",
    "with a {a}",
    ("matte surface", "glossy surface", "distressed finish"),
    ("Finished with a {a}.", "Its {a} hides fingerprints."),
)
STORE = Group(
    "Storage",
    "with {a}",
    ("hidden storage", "two drawers", "open shelves"),
    ("Offers {a} for what lies around.", "With {a} everything has its place."),
)
FEET = Group(
    "Feet",
    "with {a}",
    ("non slip feet", "locking casters", "adjustable legs"),
    ("Stands firm with {a}.", "Its {a} protect the floor."),
)
CLEANING = Group(
    "Cleaning",
    "{a}",
    ("machine washable", "dry clean only", "stain resistant"),
    ("It is {a}, so spills are no drama.", "A {a} piece for busy homes."),
)
DISHES = Group(
    "Cleaning",
    "{a}",
    ("dishwasher safe", "stain resistant", "never sticking"),
    ("It is {a}, so nobody minds the dishes.", "A {a} helper for busy kitchens."),
)
WEATHER = Group(
    "Weather",
    "{a}",
    ("rust proof", "uv resistant", "frost safe"),
    ("It is {a}, summer and winter.", "A {a} build for all seasons."),
)
STYLE = Group(
    "Style",
    "{a}",
    ("mid century", "farmhouse", "industrial", "scandinavian"),
    ("A {a} look that goes with what you own.", "Drawn by a designer with a love for {a} homes."),
)
FILL = Group(
    "Filling",
    "filled with {a}",
    ("memory foam", "goose down", "latex chips"),
    ("Filled with {a}.", "The {a} inside returns to its shape."),
)
HEAT = Group(
    "Heat", "{a}", ("oven safe", "induction ready", "heat resistant"), ("It is {a}.", "Cooks love that it is {a}.")
)
COOK = Group(
    "Material",
    "made of {a}",
    ("cast iron", "stainless steel", "carbon steel", "stoneware"),
    ("Made of {a}.", "The body is {a}, two millimeters thick."),
)
HANDLE = Group(
    "Handle",
    "with a {a}",
    ("wooden handle", "stay cool grip", "removable handle"),
    ("Fitted with a {a}.", "Its {a} is kind to your hands."),
)
LID = Group(
    "Lid",
    "with a {a}",
    ("pour spout", "steam vent", "locking lid"),
    ("Designed with a {a}.", "The {a} keeps the stove tidy."),
)
LAMP = Group(
    "Light", "{a}", ("dimmable", "motion activated", "solar powered"), ("It is {a}.", "A {a} light that saves energy.")
)
BULB = Group(
    "Bulb",
    "with {a}",
    ("warm white light", "edison bulbs", "color changing leds"),
    ("Shines with {a}.", "Lit with {a} for long evenings."),
)
DRAIN = Group(
    "Watering",
    "with {a}",
    ("drainage holes", "self watering inserts", "matching saucers"),
    ("Made with {a}.", "Thanks to {a} roots stay healthy."),
)
PATTERN = Group(
    "Pattern",
    "with a {a}",
    ("geometric pattern", "floral print", "striped weave"),
    ("Shown with a {a}.", "The {a} is woven in, not printed on."),
)

COLOR = Option("color", "in {v}", ("black", "white", "teal", "mustard", "navy", "olive", "burgundy"))
WOOD = Option("color", "in {v}", ("walnut", "espresso", "natural", "white", "black", "charcoal"))
BED = Option("size", "in size {v}", ("twin", "full", "queen", "king"))
WIDTH = Option("width", "{v} wide", ("20in", "31in", "48in", "60in"))
SETS = Option("set", "as a {v}", ("single", "pair", "trio", "set of four"))
PACKING = Option("packing", "in {v} packing", ("plain", "gift", "travel", "bulk"))
STRING = Option("length", "{v} long", ("10ft", "25ft", "33ft", "66ft"))
SHAPE = Option("shape", "in a {v} shape", ("round", "square", "oval", "hexagonal"))
PAN = Option("diameter", "{v} across", ("8in", "10in", "12in", "15in"))
CAPACITY = Option("capacity", "holding {v}", ("1 gallon", "3 quarts", "20 ounces", "half a pint"))

FURNITURE = (FRAME, ASSEMBLY, ROOM, SURFACE, STORE, FEET, STYLE)
TEXTILE = (SOFT, CLEANING, PATTERN, CORNER, STYLE)
KITCHEN = (COOK, HEAT, HANDLE, LID, DISHES)
YARD = (OUTDOOR_FRAME, WEATHER, OUTDOOR, SURFACE)
_H, _O = "Home & Kitchen", "Patio, Lawn & Garden"

DEPARTMENT = Department("garden", (
    ProductType("coffee table", "coffee tables", "a", f"{_H} › Furniture › Tables › Coffee Tables",
                (60, 380), FURNITURE,
                (WOOD, SHAPE, WIDTH)),
    ProductType("console table", "console tables", "a", f"{_H} › Furniture › Tables › Console Tables",
                (55, 320), FURNITURE,
                (WOOD, WIDTH, SETS)),
    ProductType("nightstand", "nightstands", "a", f"{_H} › Furniture › Bedroom › Nightstands", (35, 190), FURNITURE,
                (WOOD, SHAPE, SETS)),
    ProductType("bookcase", "bookcases", "a", f"{_H} › Furniture › Office › Bookcases", (50, 290), FURNITURE,
                (WOOD, WIDTH, SETS)),
    ProductType("bar stool", "bar stools", "a", f"{_H} › Furniture › Bar › Stools", (35, 210),
                (FRAME, ASSEMBLY, ROOM, SURFACE, FEET, STYLE),
                (COLOR, SHAPE, SETS), held_out=True),
    ProductType("throw blanket", "throw blankets", "a", f"{_H} › Bedding › Throws", (15, 90),
                (*TEXTILE, Group("Edge", "with {a}", ("tassel fringe", "whipstitch edges", "pom poms"),
                                 ("Trimmed with {a}.", "The {a} are sewn on by hand."))), (COLOR, BED, SETS)),
    ProductType("throw pillow", "throw pillows", "a", f"{_H} › Bedding › Decorative Pillows", (9, 60), (*TEXTILE, FILL),
                (COLOR, SHAPE, SETS)),
    ProductType("duvet cover", "duvet covers", "a", f"{_H} › Bedding › Duvet Covers", (24, 130),
                (*TEXTILE, Group("Closure", "with {a}", ("hidden zipper", "coconut buttons", "corner ties"),
                                 ("Closes with {a}.", "With {a} it stays where it should."))), (COLOR, BED, SETS),
                held_out=True),
    ProductType("frying pan", "frying pans", "a", f"{_H} › Kitchen › Cookware › Pans", (18, 120), KITCHEN,
                (PAN, COLOR, PACKING)),
    ProductType("tea kettle", "tea kettles", "a", f"{_H} › Kitchen › Cookware › Kettles", (16, 85), KITCHEN,
                (CAPACITY, COLOR, PACKING)),
    ProductType("table lamp", "table lamps", "a", f"{_H} › Lighting › Lamps › Table", (18, 140),
                (FRAME, LAMP, BULB, SURFACE, STYLE, ROOM), (COLOR, SHAPE, SETS)),
    ProductType("string lights", "string lights", "a set of", f"{_O} › Lighting › String Lights", (12, 70),
                (LAMP, BULB, WEATHER, OUTDOOR, STYLE), (COLOR, STRING, PACKING)),
    ProductType("planter", "planters", "a", f"{_O} › Gardening › Planters", (14, 110), (*YARD, DRAIN),
                (COLOR, SHAPE, SETS)),
    ProductType("garden bench", "garden benches", "a", f"{_O} › Furniture › Benches", (70, 340),
                (*YARD, ASSEMBLY, STYLE, FEET), (WOOD, WIDTH, SETS)),
), openings=(
    "A {name} that makes a house feel lived in.",
    "Simple, sturdy, and made to be used: this {name} is a quiet success.",
    "Our workshop has been making this {name} for eleven years.",
    "We could not find a {name} we liked, so we drew one.",
), closings=(
    "Measure twice, order once: sizes are given in the options.",
    "Ships in two boxes where needed.",
    "Colors on screens differ a little from those in your living space.",
), service=(
    "Damaged on the way? Send a photo and we replace it.",
    "Spare parts stay available for ten years.",
    "A housewarming gift people remember.",
), reviews=(
    ("Beautiful", 5, "Exactly as in the pictures. The {name} fits perfectly where I wanted it."),
    ("Sturdy", 5, "Heavier than I thought, in a good way. This {name} will last."),
    ("Nice but smaller than expected", 3, "Check the size before you order. Otherwise a fine {name}."),
    ("Arrived scratched", 2, "One corner was damaged. They offered a refund or a new {name}."),
    ("Compliments from everyone", 4, "Visitors notice the {name} first. One star off for slow delivery."),
))  # fmt: skip
