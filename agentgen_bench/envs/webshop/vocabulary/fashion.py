"""Fashion: clothing, shoes and bags."""

from agentgen_bench.envs.webshop.vocabulary.kinds import Department, Group, Option, ProductType

FABRIC = Group(
    "Fabric",
    "{a}",
    ("organic cotton", "merino wool", "linen blend", "recycled polyester"),
    ("Cut from {a}.", "The {a} feels good on bare skin."),
)
CARE = Group(
    "Care",
    "{a}",
    ("machine washable", "dry clean only", "wrinkle resistant"),
    ("It is {a}.", "A {a} piece for people with little time."),
)
FIT = Group(
    "Fit",
    "{a}",
    ("slim fit", "relaxed fit", "tailored cut"),
    ("A {a} that moves with you.", "Comes in a {a}; if in doubt, order your usual size."),
)
CLOSURE = Group(
    "Closure",
    "with a {a}",
    ("zip closure", "button front", "drawstring waist"),
    ("Closes with a {a}.", "Its {a} is easy with cold fingers."),
)
POCKET = Group(
    "Pockets",
    "with {a}",
    ("zip pockets", "cargo pockets", "a hidden pouch"),
    ("Made with {a} for keys and cards.", "With {a} you can leave the bag at home."),
)
LINING = Group(
    "Lining",
    "with {a}",
    ("fleece lining", "mesh lining", "satin lining"),
    ("Finished with {a} inside.", "The {a} makes all the difference."),
)
SLEEVE = Group(
    "Sleeves",
    "with {a}",
    ("long sleeves", "short sleeves", "cap sleeves"),
    ("Designed with {a}.", "Its {a} sit just right."),
)
NECK = Group(
    "Neckline",
    "with a {a}",
    ("crew neck", "boat neckline", "shawl collar"),
    ("Shaped with a {a}.", "The {a} flatters everyone."),
)
OCCASION = Group(
    "Occasion",
    "for {a}",
    ("office days", "weddings", "lounging at home", "summer travel"),
    ("Right for {a}.", "Our customers wear it for {a}."),
)
OUTING = OCCASION._replace(values=("trail hiking", "city commutes", "dog walks", "camping trips"))
WALK = OCCASION._replace(values=("office days", "trail hiking", "weddings", "sightseeing"))
CARRY = OCCASION._replace(
    values=("office days", "weekend trips", "campus life", "grocery runs"),
    sentences=("Right for {a}.", "Our customers carry it for {a}."),
)
WEATHER = Group(
    "Weather",
    "{a}",
    ("windproof", "quick drying", "thermal insulated"),
    ("It is {a}, tested in the hills.", "A {a} layer for uncertain skies."),
)
SOLE = Group(
    "Sole",
    "with a {a}",
    ("rubber sole", "cork footbed", "eva midsole"),
    ("Walks softly with a {a}.", "The {a} is glued and stitched."),
)
UPPER = Group(
    "Upper",
    "{a}",
    ("full grain leather", "canvas", "vegan suede"),
    ("The upper is {a}.", "We picked {a} for its strength."),
)
TOE = Group(
    "Toe",
    "with a {a}",
    ("round toe", "pointed tip", "steel cap"),
    ("Built with a {a}.", "Its {a} leaves room where it counts."),
)
HEEL = Group(
    "Heel",
    "with a {a}",
    ("block heel", "flat bottom", "hidden wedge"),
    ("Stands on a {a}.", "The {a} carries you through the day."),
)
STRAP = Group(
    "Strap",
    "with {a}",
    ("padded straps", "a detachable strap", "a chain handle"),
    ("Carried with {a}.", "With {a} it never cuts in."),
)
BAG_INSIDE = Group(
    "Inside",
    "with {a}",
    ("a laptop sleeve", "rfid blocking", "a key leash"),
    ("Organized inside with {a}.", "Regulars praise that it comes with {a}."),
)
PRINT = Group(
    "Print",
    "with {a}",
    ("floral print", "pinstripes", "color blocking"),
    ("Shown with {a}.", "The design with {a} is our own."),
)

COLOR = Option("color", "in {v}", ("black", "white", "navy", "red", "olive", "burgundy", "teal", "mustard"))
SIZE = Option("size", "in size {v}", ("xs", "s", "m", "l", "xl", "2xl", "3xl"))
SHOE = Option("size", "in size {v}", ("6", "7", "8", "9", "10", "11", "12"))
CUT = Option("cut", "in the {v} cut", ("regular", "petite", "tall"))
SHOE_WIDTH = Option("width", "in {v} width", ("narrow", "regular", "wide"))
GENDER = Option("department", "from the {v} department", ("mens", "ladies", "youth"))
BAG_SIZE = Option("capacity", "with {v} capacity", ("10l", "18l", "25l", "40l"))
MONOGRAM = Option("engraving", "with {v} engraving", ("plain", "initials", "heart", "anchor"))

TOP = (FABRIC, CARE, FIT, SLEEVE, NECK, OCCASION, PRINT)
BOTTOM = (FABRIC, CARE, FIT, CLOSURE, POCKET, OCCASION)
OUTER = (CARE, FIT, CLOSURE, POCKET, LINING, WEATHER, OUTING)
FOOT = (UPPER, SOLE, TOE, LINING, WALK, WEATHER)
BAG = (UPPER, STRAP, BAG_INSIDE, CLOSURE, LINING, CARRY)
_C = "Clothing, Shoes & Jewelry"

DEPARTMENT = Department("fashion", (
    ProductType("dress shirt", "dress shirts", "a", f"{_C} › Shirts › Dress Shirts", (18, 85), TOP, (COLOR, SIZE, CUT)),
    ProductType("t shirt", "t shirts", "a", f"{_C} › Shirts › T-Shirts", (9, 40), TOP, (COLOR, SIZE, GENDER)),
    ProductType("sweater", "sweaters", "a", f"{_C} › Sweaters › Pullovers", (24, 130), TOP, (COLOR, SIZE, GENDER)),
    ProductType("blouse", "blouses", "a", f"{_C} › Shirts › Blouses", (16, 75), TOP, (COLOR, SIZE, CUT), held_out=True),
    ProductType("cocktail dress", "cocktail dresses", "a", f"{_C} › Dresses › Cocktail", (28, 160),
                (*TOP, LINING), (COLOR, SIZE, CUT)),
    ProductType("chinos", "chinos", "a pair of", f"{_C} › Pants › Casual", (20, 90), BOTTOM, (COLOR, SIZE, CUT)),
    ProductType("shorts", "shorts", "a pair of", f"{_C} › Shorts › Casual", (14, 60), BOTTOM, (COLOR, SIZE, GENDER)),
    ProductType("pajama pants", "pajama pants", "a pair of", f"{_C} › Sleepwear › Bottoms", (13, 55), (*BOTTOM, PRINT),
                (COLOR, SIZE, GENDER)),
    ProductType("rain jacket", "rain jackets", "a", f"{_C} › Jackets › Rain", (35, 180), OUTER, (COLOR, SIZE, GENDER)),
    ProductType("winter coat", "winter coats", "a", f"{_C} › Coats › Winter", (60, 320), OUTER, (COLOR, SIZE, CUT)),
    ProductType("sneakers", "sneakers", "a pair of", f"{_C} › Shoes › Sneakers", (28, 150), FOOT,
                (COLOR, SHOE, SHOE_WIDTH)),
    ProductType("ankle boots", "ankle boots", "a pair of", f"{_C} › Shoes › Boots", (40, 210), (*FOOT, HEEL),
                (COLOR, SHOE, SHOE_WIDTH)),
    ProductType("sandals", "sandals", "a pair of", f"{_C} › Shoes › Sandals", (18, 95),
                (UPPER, SOLE, TOE, HEEL, WALK),
                (COLOR, SHOE, SHOE_WIDTH), held_out=True),
    ProductType("backpack", "backpacks", "a", f"{_C} › Luggage › Backpacks", (24, 170), (*BAG, WEATHER),
                (COLOR, BAG_SIZE, MONOGRAM)),
    ProductType("tote bag", "tote bags", "a", f"{_C} › Handbags › Totes", (16, 140), BAG, (COLOR, BAG_SIZE, MONOGRAM)),
), openings=(
    "The {name} that made our name.",
    "Made to be worn often: this {name} improves with the years.",
    "A modern take on a classic {name}.",
    "Designed in Lisbon, this {name} has been reordered nine times.",
), closings=(
    "See the size chart in the pictures before you order.",
    "Exchanges are free within 60 days.",
    "Model in the pictures is 5 feet 10 tall.",
), service=(
    "Free exchange if it does not fit.",
    "Sewn in a family run factory.",
    "Sent in a reusable pouch.",
), reviews=(
    ("Fits like a glove", 5, "Ordered my usual and the {name} is spot on."),
    ("Runs small", 3, "Go one up. Apart from that a lovely {name}."),
    ("My new favorite", 5, "I bought this {name} twice more in other shades."),
    ("Good quality", 4, "Stitching is clean and the {name} kept its shape so far."),
    ("Disappointed", 2, "Looked better online than on me. The {name} went back."),
))  # fmt: skip
