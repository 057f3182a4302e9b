"""Grocery."""

from agentgen_bench.envs.webshop.vocabulary.kinds import Department, Group, Option, ProductType

DIET = Group(
    "Diet",
    "{a}",
    ("gluten free", "dairy free", "keto friendly", "plant based"),
    ("It is {a}, down to the last ingredient.", "A {a} recipe our taste panel likes best."),
)
CLAIM = Group(
    "Certified",
    "{a}",
    ("certified organic", "non gmo", "kosher"),
    ("Every lot is {a}.", "It is {a}; the seal is on the label."),
)
SWEET = Group(
    "Sweetness",
    "{a}",
    ("sugar free", "honey sweetened", "lightly sweetened"),
    ("It is {a}.", "A {a} recipe that tastes of more than sweetness."),
)
SALT = Group(
    "Salt",
    "{a}",
    ("low sodium", "sea salted", "unsalted"),
    ("It is {a}, as our regulars asked.", "The {a} kind, good for cooking too."),
)
NUTRIENT = Group(
    "Nutrition",
    "{a}",
    ("high protein", "rich in fiber", "low calorie"),
    ("It is {a}.", "A {a} choice that fits most plans."),
)
PACKAGE = Group(
    "Packaging",
    "in a {a}",
    ("resealable pouch", "glass jar", "recyclable tin"),
    ("Sold in a {a}.", "The {a} keeps it fresh for weeks."),
)
ALLERGY = Group(
    "Allergens",
    "{a}",
    ("nut free", "soy free", "egg free"),
    ("Made in a {a} kitchen.", "It is {a}, and tested for it."),
)
ORIGIN = Group(
    "Origin",
    "{a}",
    ("single origin", "locally grown", "fair trade"),
    ("The harvest is {a}.", "We buy {a} only and pay the growers well."),
)
ROAST = Group(
    "Roast",
    "{a}",
    ("dark roast", "medium roast", "blonde roast"),
    ("A {a} with a clean cup.", "Turned slowly to a {a}."),
)
CAFFEINE = Group(
    "Caffeine",
    "{a}",
    ("decaffeinated", "high caffeine", "naturally caffeine free"),
    ("It is {a}.", "The {a} version for those who asked."),
)
TEXTURE = Group(
    "Texture",
    "{a}",
    ("extra crunchy", "soft baked", "lightly toasted"),
    ("It is {a}, every time.", "The {a} bite people come back for."),
)
CUT = Group(
    "Cut", "{a}", ("kettle cooked", "ridge cut", "paper thin"), ("They are {a}.", "The {a} kind that is gone too soon.")
)
MAKING = Group(
    "Making",
    "{a}",
    ("stone ground", "cold pressed", "slow cooked"),
    ("It is {a} in small runs.", "Our {a} method keeps the taste."),
)
NUT_MAKING = MAKING._replace(values=("stone ground", "slow roasted", "hand stirred"))
HEAT = Group(
    "Heat",
    "{a}",
    ("mild", "extra hot", "smoky"),
    ("It is {a} on the tongue.", "A {a} kick that does not hide the rest."),
)
MEAL = Group(
    "Occasion",
    "for {a}",
    ("lunch boxes", "road trips", "dinner parties", "camping"),
    ("Handy for {a}.", "A safe choice for {a}."),
)
GRAIN = Group(
    "Base",
    "made with {a}",
    ("whole wheat", "brown rice", "chickpea flour", "red lentils"),
    ("Made with {a}.", "We start with {a} from one mill."),
)
BREW = Group(
    "Brewing", "for {a}", ("cold brewing", "espresso machines", "pour over"), ("Ground for {a}.", "Shines in {a}.")
)

WEIGHT = Option("size", "in the {v} size", ("4 oz", "9 oz", "12 oz", "16 oz", "2 lb", "5 lb"))
PACK = Option("pack", "as a {v}", ("single", "twin pack", "family pack", "sampler"))
SWEET_FLAVOR = Option("flavor", "in {v} flavor", ("vanilla", "cinnamon", "raspberry", "maple", "hazelnut", "banana"))
SAVORY = Option("flavor", "in {v} flavor", ("barbecue", "thyme", "cheddar", "garlic", "jalapeno", "original"))
SAUCE_FLAVOR = Option("flavor", "in {v} flavor", ("original", "garlic", "basil", "chipotle", "mushroom", "truffle"))
TEA_FLAVOR = Option("flavor", "in {v} flavor", ("jasmine", "mint", "lemon", "ginger", "peach", "chai"))
GRIND = Option("grind", "with a {v} grind", ("whole bean", "coarse", "fine", "capsules"))
SHIP = Option("delivery", "with {v} delivery", ("one time", "weekly", "monthly", "quarterly"))

SNACK = (DIET, CLAIM, ALLERGY, NUTRIENT, PACKAGE, TEXTURE, MEAL)
SAUCE = (DIET, CLAIM, ALLERGY, PACKAGE, MAKING, MEAL)
_G = "Grocery & Gourmet Food"

DEPARTMENT = Department("grocery", (
    ProductType("granola", "granolas", "some", f"{_G} › Breakfast › Granola", (5, 24), (*SNACK, SWEET),
                (WEIGHT, SWEET_FLAVOR, PACK)),
    ProductType("snack bars", "snack bars", "a box of", f"{_G} › Snacks › Bars", (6, 30), (*SNACK, SWEET),
                (PACK, SWEET_FLAVOR, SHIP)),
    ProductType("potato chips", "potato chips", "a bag of", f"{_G} › Snacks › Chips", (4, 22),
                (DIET, CLAIM, SALT, PACKAGE, CUT, MEAL), (WEIGHT, SAVORY, PACK)),
    ProductType("crackers", "crackers", "a box of", f"{_G} › Snacks › Crackers", (4, 20), (*SNACK, SALT, GRAIN),
                (WEIGHT, SAVORY, PACK)),
    ProductType("popcorn", "popcorn", "some", f"{_G} › Snacks › Popcorn", (4, 21),
                (DIET, CLAIM, SALT, PACKAGE, NUTRIENT, MEAL),
                (WEIGHT, SAVORY, PACK), held_out=True),
    ProductType("ground coffee", "ground coffees", "some", f"{_G} › Beverages › Coffee", (8, 40),
                (ROAST, ORIGIN, CLAIM, CAFFEINE, PACKAGE, BREW), (WEIGHT, GRIND, SHIP)),
    ProductType("herbal tea", "herbal teas", "some", f"{_G} › Beverages › Tea", (5, 28),
                (ORIGIN, CLAIM, CAFFEINE, SWEET, PACKAGE, MEAL), (TEA_FLAVOR, PACK, SHIP)),
    ProductType("protein powder", "protein powders", "some", f"{_G} › Beverages › Protein Drinks", (18, 75),
                (DIET, CLAIM, ALLERGY, SWEET, NUTRIENT, PACKAGE), (WEIGHT, SWEET_FLAVOR, SHIP)),
    ProductType("hot sauce", "hot sauces", "a", f"{_G} › Sauces › Hot Sauce", (5, 24), (*SAUCE, HEAT),
                (WEIGHT, SAUCE_FLAVOR, PACK)),
    ProductType("pasta sauce", "pasta sauces", "a", f"{_G} › Sauces › Pasta Sauce", (4, 18), (*SAUCE, SALT),
                (WEIGHT, SAUCE_FLAVOR, PACK)),
    ProductType("peanut butter", "peanut butters", "a", f"{_G} › Spreads › Nut Butter", (5, 22),
                (DIET, CLAIM, SWEET, SALT, PACKAGE, NUT_MAKING), (WEIGHT, SWEET_FLAVOR, PACK), held_out=True),
    ProductType("pasta", "pastas", "some", f"{_G} › Pantry › Pasta", (3, 17),
                (DIET, CLAIM, ALLERGY, GRAIN, NUTRIENT, MEAL),
                (WEIGHT, PACK, SHIP)),
    ProductType("trail mix", "trail mixes", "a", f"{_G} › Snacks › Trail Mix", (6, 32),
                (DIET, CLAIM, SALT, SWEET, PACKAGE, MEAL),
                (WEIGHT, SWEET_FLAVOR, PACK)),
), openings=(
    "The {name} our neighbors queue for on Saturdays.",
    "Short list of ingredients, long list of fans: that is our {name}.",
    "We grew up with this {name} and still make it the same way.",
    "Honest {name} at an honest price.",
), closings=(
    "Best before date printed on the pack; store in a cool place.",
    "Allergy information is printed on the back.",
    "Made to order each week.",
), service=(
    "Leaves our bakery within two days of your order.",
    "One percent of sales goes to food banks.",
    "Not happy? We refund without questions.",
), reviews=(
    ("Delicious", 5, "My kids finished the {name} before I could try it twice."),
    ("Tasty but pricey", 4, "Great {name}. I wait for sales."),
    ("Too bland for me", 2, "Others may love this {name}, I like stronger taste."),
    ("Fresh", 5, "Date was far out and the {name} tasted as if made yesterday."),
    ("Decent", 3, "An everyday {name}. The pack could be larger."),
))  # fmt: skip
