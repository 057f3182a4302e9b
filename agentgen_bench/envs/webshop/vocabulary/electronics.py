"""Electronics."""

from agentgen_bench.envs.webshop.vocabulary.kinds import Department, Group, Option, ProductType

LINK = Group(
    "Connection",
    "{a}",
    ("bluetooth", "wired", "wifi enabled"),
    ("A {a} device that is ready in a minute.", "It is {a} and works with phones and laptops alike."),
)
BUILD = Group(
    "Build",
    "{a}",
    ("water resistant", "shock resistant", "dust proof"),
    ("Its housing is {a}.", "A {a} body forgives rough days."),
)
CHARGE = Group(
    "Charging",
    "with {a}",
    ("fast charging", "solar charging", "magnetic charging"),
    ("Supports {a}.", "Thanks to {a} it is rarely empty."),
)
SOUND = Group(
    "Sound",
    "with {a}",
    ("noise cancelling", "deep bass", "surround sound"),
    ("Offers {a} that you notice at once.", "Its {a} makes long flights shorter."),
)
CONTROL = Group(
    "Control",
    "with {a}",
    ("touch controls", "voice control", "a physical dial"),
    ("Comes with {a}.", "You rule it with {a}, without opening an app."),
)
LIGHT = Group(
    "Lighting",
    "with {a}",
    ("rgb lighting", "a warm backlight", "a status led"),
    ("Equipped with {a}.", "With {a} you find it in the dark."),
)
USE = Group(
    "Use",
    "for {a}",
    ("home office", "travel", "gaming", "kids rooms"),
    ("A good fit for {a}.", "Most of our buyers chose it for {a}."),
)
SHELL = Group(
    "Material",
    "made of {a}",
    ("brushed aluminum", "recycled plastic", "vegan leather", "silicone"),
    ("Its shell is made of {a}.", "We chose {a} because it ages well."),
)
FOLD = Group(
    "Design",
    "{a}",
    ("foldable", "ultra slim", "clip on"),
    ("The {a} design takes no space.", "A {a} shape that goes wherever you go."),
)
WARRANTY = Group(
    "Warranty",
    "with a {a}",
    ("lifetime warranty", "two year guarantee", "free replacement plan"),
    ("Sold with a {a}.", "A {a} covers what you cannot foresee."),
)
VISION = Group(
    "Picture",
    "with {a}",
    ("night vision", "4k video", "motion tracking"),
    ("Records with {a}.", "Its {a} is the best of its class."),
)
PLUG = Group(
    "Connector",
    "with {a}",
    ("braided cable", "gold plated plugs", "a right angle plug"),
    ("Made with {a}.", "With {a} it outlives its rivals."),
)
PORT = Group(
    "Ports",
    "with {a}",
    ("a usb c port", "an hdmi output", "a memory card slot"),
    ("Built with {a} on the side.", "With {a} you save an adapter."),
)
MOUNT = Group(
    "Mounting",
    "with {a}",
    ("a suction mount", "adhesive strips", "a tripod thread"),
    ("Ships with {a}.", "Fix it in seconds with {a}."),
)
KEYS = Group(
    "Keys",
    "with {a}",
    ("mechanical switches", "low profile keys", "a numeric pad"),
    ("Types well with {a}.", "You will enjoy writing with {a}."),
)

COLOR = Option("color", "in {v}", ("black", "white", "navy", "red", "silver", "mint", "purple"))
LENGTH = Option("length", "{v} long", ("3ft", "6ft", "10ft", "25ft"))
STORAGE = Option("storage", "with {v} storage", ("32 gb", "64 gb", "128 gb", "256 gb", "1 tb"))
EDITION = Option("edition", "in the {v} edition", ("classic", "deluxe", "student", "anniversary"))
BUNDLE = Option("bundle", "as a {v} bundle", ("solo", "duo", "starter", "complete"))
SCREEN = Option("size", "in the {v} size", ("7 inch", "15 inch", "24 inch", "38 inch"))
PLUG_TYPE = Option("plug type", "with a {v} plug", ("us", "uk", "eu", "japan"))
WATTS = Option("power", "with {v} power", ("18w", "45w", "65w", "120w"))

AUDIO = (LINK, BUILD, SOUND, CONTROL, FOLD, USE, WARRANTY)
GADGET = (BUILD, CHARGE, SHELL, FOLD, USE, WARRANTY)
CAMERA = (LINK, BUILD, VISION, MOUNT, PORT, WARRANTY)
DESK = (LINK, LIGHT, SHELL, USE, CONTROL, WARRANTY)
_E = "Electronics"

DEPARTMENT = Department("electronics", (
    ProductType("headphones", "headphones", "a pair of", f"{_E} › Headphones › Over-Ear", (25, 220), AUDIO,
                (COLOR, EDITION, BUNDLE)),
    ProductType("earbuds", "earbuds", "a pair of", f"{_E} › Headphones › In-Ear", (15, 160), AUDIO,
                (COLOR, EDITION, BUNDLE)),
    ProductType("portable speaker", "portable speakers", "a", f"{_E} › Audio › Portable Speakers", (18, 190),
                (*AUDIO, CHARGE), (COLOR, EDITION, BUNDLE)),
    ProductType("soundbar", "soundbars", "a", f"{_E} › Home Audio › Speakers", (60, 400),
                (LINK, SOUND, CONTROL, PORT, SHELL, WARRANTY), (COLOR, EDITION, PLUG_TYPE), held_out=True),
    ProductType("phone case", "phone cases", "a", f"{_E} › Cell Phones › Cases", (8, 45), GADGET,
                (COLOR, EDITION, BUNDLE)),
    ProductType("power bank", "power banks", "a", f"{_E} › Cell Phones › Chargers › Portable", (15, 80),
                (BUILD, CHARGE, SHELL, FOLD, PORT, LIGHT, WARRANTY), (COLOR, WATTS, BUNDLE)),
    ProductType("wall charger", "wall chargers", "a", f"{_E} › Cell Phones › Chargers › Wall", (9, 55),
                (CHARGE, SHELL, FOLD, LIGHT, USE, WARRANTY), (WATTS, PLUG_TYPE, COLOR)),
    ProductType("charging cable", "charging cables", "a", f"{_E} › Accessories › Cables", (6, 30),
                (PLUG, CHARGE, BUILD, LIGHT, USE, WARRANTY), (LENGTH, COLOR, BUNDLE)),
    ProductType("security camera", "security cameras", "a", f"{_E} › Security › Cameras", (28, 210), CAMERA,
                (STORAGE, COLOR, BUNDLE)),
    ProductType("dash cam", "dash cams", "a", f"{_E} › Car Electronics › Dash Cameras", (35, 190), CAMERA,
                (STORAGE, COLOR, BUNDLE), held_out=True),
    ProductType("tablet", "tablets", "a", f"{_E} › Computers › Tablets", (70, 420),
                (LINK, BUILD, CHARGE, PORT, USE, WARRANTY), (STORAGE, COLOR, EDITION)),
    ProductType("monitor", "monitors", "a", f"{_E} › Computers › Monitors", (90, 460),
                (PORT, LIGHT, FOLD, USE, CONTROL, WARRANTY), (SCREEN, COLOR, PLUG_TYPE)),
    ProductType("keyboard", "keyboards", "a", f"{_E} › Computers › Keyboards", (18, 150), (*DESK, KEYS),
                (COLOR, EDITION, PLUG_TYPE)),
    ProductType("computer mouse", "computer mice", "a", f"{_E} › Computers › Mice", (9, 90), DESK,
                (COLOR, EDITION, BUNDLE)),
), openings=(
    "Meet the {name} our engineers wanted for themselves.",
    "No manual needed: take this {name} out of the box and start.",
    "The third generation of our best selling {name}.",
    "What people disliked about the last {name} is gone from this one.",
), closings=(
    "Box contents: the device, a short guide and our thanks.",
    "Designed by a small team, built to be repaired.",
    "Questions are answered by people, seven days a week.",
), service=(
    "Works out of the box, without an account.",
    "Packed without foam or plastic film.",
    "Our support team replies within one working day.",
), reviews=(
    ("Exceeded my expectations", 5, "Set it up in five minutes. This {name} replaced one that cost twice as much."),
    ("Solid", 4, "Good {name} overall. I would have liked a longer guide."),
    ("Average", 3, "The {name} works, no more and no less."),
    ("Stopped working", 1, "Died after three weeks. To be fair, the seller sent a new {name} at once."),
    ("Great gift", 5, "Bought this {name} for my father and he has not put it down since."),
))  # fmt: skip
