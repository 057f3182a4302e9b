"""Our own rooms: which receptacles a kind of room has, which objects, what can be done to them and where they fit.

The words are those of the Alfred domain, so that the official rules apply; counts and choices are ours, set so that
rooms are about as full as the real ones (docs of the family give the comparison). No official scene is copied.
"""

from functools import cache
from typing import NamedTuple

from agentgen_bench.seeding import stream

ROOMS_PER_KIND = 24
TRAIN_ROOMS = 18  # the rooms after these are unseen in training
OPENABLE = ("Cabinet", "Drawer", "Fridge", "Microwave", "Safe")
MOVABLE = ("Bowl", "Box", "Cup", "Mug", "Pan", "Plate", "Pot")
LAMP = "DeskLamp"


class ObjectKind(NamedTuple):
    """What can be done to a type of object, and the types of receptacle that can hold it, likeliest first."""

    affordances: tuple[str, ...]
    fits: tuple[str, ...]


class RoomKind(NamedTuple):
    """Receptacles as type -> (chance to be there, fewest, most), objects that are always or sometimes there."""

    receptacles: dict[str, tuple[float, int, int]]
    usual: tuple[str, ...]
    sometimes: tuple[str, ...]


class Room(NamedTuple):
    """One room of the catalogue: its kind, its number and its receptacles, each with its type."""

    kind: str
    number: int
    receptacles: tuple[str, ...]


def _object(affordances: str, fits: str) -> ObjectKind:
    return ObjectKind(tuple(affordances.split()), tuple(fits.split()))


_FOOD = "cleanable heatable coolable sliceable"
_SMALL = "Desk SideTable CoffeeTable Dresser Drawer Shelf Sofa ArmChair DiningTable CounterTop TVStand Safe"
_KITCHEN_TOP = "CounterTop DiningTable SideTable"

OBJECTS: dict[str, ObjectKind] = {
    "Apple": _object(_FOOD, f"{_KITCHEN_TOP} Fridge SinkBasin GarbageCan Microwave"),
    "Bread": _object("heatable coolable sliceable", f"{_KITCHEN_TOP} Fridge Microwave GarbageCan"),
    "Egg": _object(_FOOD, f"Fridge {_KITCHEN_TOP} SinkBasin GarbageCan Microwave"),
    "Lettuce": _object("cleanable coolable sliceable", f"Fridge {_KITCHEN_TOP} SinkBasin GarbageCan"),
    "Potato": _object(_FOOD, f"{_KITCHEN_TOP} SinkBasin Fridge GarbageCan Microwave"),
    "Tomato": _object(_FOOD, f"{_KITCHEN_TOP} Fridge SinkBasin GarbageCan Microwave"),
    "Bowl": _object("cleanable coolable", f"{_KITCHEN_TOP} Cabinet SinkBasin Shelf Fridge Microwave Dresser Desk"),
    "Cup": _object("cleanable heatable coolable", f"{_KITCHEN_TOP} Cabinet SinkBasin Shelf Fridge Microwave"),
    "Mug": _object(
        "cleanable heatable coolable", f"{_KITCHEN_TOP} CoffeeMachine Cabinet SinkBasin Shelf Desk Fridge Microwave"
    ),
    "Plate": _object(
        "cleanable heatable coolable", f"{_KITCHEN_TOP} Cabinet SinkBasin Shelf Fridge Microwave CoffeeTable"
    ),
    "Kettle": _object("cleanable", "StoveBurner CounterTop Cabinet DiningTable SinkBasin Shelf"),
    "Pan": _object("cleanable coolable", "StoveBurner CounterTop Cabinet DiningTable SinkBasin Fridge"),
    "Pot": _object("cleanable coolable", "StoveBurner CounterTop Cabinet DiningTable SinkBasin Fridge"),
    "ButterKnife": _object("cleanable", "CounterTop Drawer DiningTable SideTable SinkBasin"),
    "Fork": _object("cleanable", "CounterTop Drawer DiningTable SideTable SinkBasin"),
    "Knife": _object("cleanable", "CounterTop Drawer DiningTable SideTable SinkBasin"),
    "Spoon": _object("cleanable", "CounterTop Drawer DiningTable SideTable SinkBasin"),
    "Ladle": _object("cleanable", "CounterTop Drawer DiningTable Cabinet SinkBasin"),
    "Spatula": _object("cleanable", "CounterTop Drawer DiningTable SinkBasin"),
    "PepperShaker": _object("", "CounterTop DiningTable Cabinet Drawer Shelf SideTable"),
    "SaltShaker": _object("", "CounterTop DiningTable Cabinet Drawer Shelf SideTable"),
    "DishSponge": _object("cleanable", "SinkBasin CounterTop Cabinet Drawer GarbageCan Shelf Cart BathtubBasin Toilet"),
    "SoapBottle": _object("", "CounterTop Cabinet Toilet Cart Shelf Drawer GarbageCan SideTable"),
    "Glassbottle": _object("", "CounterTop DiningTable Cabinet Fridge Shelf SinkBasin"),
    "WineBottle": _object("coolable", "CounterTop DiningTable Cabinet Fridge GarbageCan Shelf"),
    "AlarmClock": _object("", "SideTable Desk Dresser Shelf CounterTop DiningTable"),
    "BaseballBat": _object("", "Bed DiningTable SideTable CounterTop"),
    "BasketBall": _object("", "Bed Desk Dresser Sofa ArmChair SideTable"),
    "Book": _object("", "Desk Bed Shelf SideTable CoffeeTable Sofa Drawer Dresser ArmChair Cabinet DiningTable"),
    "Box": _object("", "CoffeeTable Sofa DiningTable SideTable Dresser ArmChair Desk Shelf Ottoman"),
    "Candle": _object("", "CounterTop Toilet Shelf Cart CoffeeTable Cabinet Drawer Dresser SideTable"),
    "CD": _object("", "Desk Shelf Drawer SideTable Dresser GarbageCan Safe"),
    "CellPhone": _object("", f"{_SMALL} Bed Ottoman"),
    "Cloth": _object("cleanable", "CounterTop Cabinet Drawer BathtubBasin Toilet Cart Shelf GarbageCan SideTable"),
    "CreditCard": _object("", f"{_SMALL} Ottoman"),
    "HandTowel": _object("", "HandTowelHolder CounterTop Cabinet SinkBasin Drawer Shelf Cart BathtubBasin GarbageCan"),
    "KeyChain": _object("", f"{_SMALL} Ottoman"),
    "Laptop": _object("", "Desk Bed CoffeeTable Sofa DiningTable SideTable Dresser ArmChair Ottoman"),
    "Newspaper": _object("", "CoffeeTable Sofa DiningTable ArmChair SideTable Drawer TVStand GarbageCan Ottoman"),
    "PaperTowelRoll": _object("", "CounterTop Toilet GarbageCan Shelf SideTable"),
    "Pen": _object("", "Desk Drawer SideTable Shelf Dresser CoffeeTable GarbageCan"),
    "Pencil": _object("", "Desk Drawer SideTable Shelf Dresser CoffeeTable GarbageCan"),
    "Pillow": _object("", "Bed Sofa ArmChair Ottoman"),
    "Plunger": _object("", "Cabinet Cart"),
    "RemoteControl": _object(
        "", "CoffeeTable Sofa TVStand ArmChair SideTable Drawer Dresser Shelf DiningTable Ottoman"
    ),
    "SoapBar": _object("cleanable", "CounterTop SinkBasin BathtubBasin Toilet Cabinet Drawer Cart GarbageCan Shelf"),
    "SprayBottle": _object("", "Toilet CounterTop Cabinet Shelf Cart Drawer GarbageCan SideTable"),
    "Statue": _object("", "CoffeeTable Shelf Dresser SideTable DiningTable TVStand CounterTop Desk Safe"),
    "TeddyBear": _object("", "Bed Desk Sofa"),
    "TennisRacket": _object("", "Bed Desk Dresser SideTable"),
    "TissueBox": _object("", "SideTable CoffeeTable TVStand Dresser Toilet CounterTop Shelf Cabinet Drawer Cart"),
    "ToiletPaper": _object("", "ToiletPaperHanger Toilet CounterTop Cabinet Drawer Shelf Cart GarbageCan"),
    "Towel": _object("", "TowelHolder"),
    "Vase": _object("", "CoffeeTable DiningTable Shelf SideTable Dresser TVStand CounterTop Cabinet Safe"),
    "Watch": _object("", "Dresser SideTable CoffeeTable Desk Drawer Shelf TVStand Safe"),
    "WateringCan": _object("", "SideTable CoffeeTable Shelf DiningTable Dresser Cabinet Drawer"),
    LAMP: _object("toggleable", "Desk SideTable Dresser CoffeeTable Shelf"),
}

KINDS: dict[str, RoomKind] = {
    "kitchen": RoomKind(
        receptacles={
            "Cabinet": (1.0, 4, 14),
            "CoffeeMachine": (1.0, 1, 1),
            "CounterTop": (1.0, 1, 3),
            "DiningTable": (0.5, 1, 2),
            "Drawer": (0.85, 1, 8),
            "Fridge": (1.0, 1, 1),
            "GarbageCan": (1.0, 1, 1),
            "Microwave": (1.0, 1, 1),
            "Shelf": (0.2, 1, 3),
            "SideTable": (0.1, 1, 1),
            "SinkBasin": (1.0, 1, 1),
            "StoveBurner": (1.0, 2, 4),
            "Toaster": (1.0, 1, 1),
        },
        usual=tuple(
            "Apple Bowl Bread ButterKnife Cup DishSponge Egg Fork Knife Lettuce Mug Pan PepperShaker Plate Pot Potato "
            "SaltShaker SoapBottle Spatula Spoon Tomato".split()
        ),
        sometimes=tuple("Glassbottle Kettle Ladle PaperTowelRoll Vase WineBottle".split()),
    ),
    "livingroom": RoomKind(
        receptacles={
            "ArmChair": (0.9, 1, 3),
            "Cabinet": (0.1, 2, 6),
            "CoffeeTable": (0.85, 1, 2),
            "Desk": (0.1, 1, 1),
            "DiningTable": (0.5, 1, 2),
            "Drawer": (0.75, 1, 8),
            "Dresser": (0.35, 1, 1),
            "GarbageCan": (1.0, 1, 1),
            "Ottoman": (0.1, 1, 1),
            "Safe": (0.1, 1, 1),
            "Shelf": (0.4, 2, 8),
            "SideTable": (0.8, 1, 3),
            "Sofa": (1.0, 1, 2),
            "TVStand": (0.4, 1, 1),
        },
        usual=tuple("Box CreditCard KeyChain Laptop Newspaper Pillow RemoteControl Statue Vase".split()),
        sometimes=tuple("Book Candle CellPhone Plate TissueBox Watch WateringCan Pen Pencil".split()),
    ),
    "bedroom": RoomKind(
        receptacles={
            "ArmChair": (0.2, 1, 2),
            "Bed": (1.0, 1, 2),
            "Cabinet": (0.15, 2, 4),
            "Desk": (0.65, 1, 2),
            "Drawer": (0.9, 2, 9),
            "Dresser": (0.5, 1, 1),
            "GarbageCan": (1.0, 1, 1),
            "Safe": (0.15, 1, 1),
            "Shelf": (0.65, 1, 7),
            "SideTable": (0.65, 1, 2),
        },
        usual=tuple("AlarmClock Book CD CellPhone CreditCard KeyChain Laptop Pen Pencil Pillow".split()),
        sometimes=tuple("BaseballBat BasketBall Bowl Box Mug TeddyBear TennisRacket TissueBox Statue Vase".split()),
    ),
    "bathroom": RoomKind(
        receptacles={
            "BathtubBasin": (0.7, 1, 1),
            "Cabinet": (0.6, 2, 6),
            "Cart": (0.1, 1, 1),
            "CounterTop": (0.85, 1, 2),
            "Drawer": (0.4, 2, 7),
            "GarbageCan": (1.0, 1, 1),
            "HandTowelHolder": (1.0, 1, 2),
            "Shelf": (0.2, 1, 3),
            "SideTable": (0.1, 1, 1),
            "SinkBasin": (1.0, 1, 2),
            "Toilet": (1.0, 1, 1),
            "ToiletPaperHanger": (1.0, 1, 1),
            "TowelHolder": (1.0, 1, 2),
        },
        usual=tuple("Candle Cloth HandTowel SoapBar SoapBottle SprayBottle ToiletPaper Towel".split()),
        sometimes=tuple("DishSponge PaperTowelRoll Plunger TissueBox".split()),
    ),
}


@cache
def room(kind: str, number: int) -> Room:
    """Return one of the catalogue's rooms, 0 <= number < ROOMS_PER_KIND; no two of a kind have equal receptacles."""
    taken = {room(kind, other).receptacles for other in range(number)}
    rng = stream("alfworld", "room", kind, number)
    while True:
        receptacles: list[str] = []
        for name, (chance, fewest, most) in KINDS[kind].receptacles.items():
            if rng.random() < chance:
                receptacles += [name] * int(rng.integers(fewest, most + 1))
        if tuple(receptacles) not in taken:
            return Room(kind, number, tuple(receptacles))


@cache
def likelihood_rank(object_type: str, receptacle_type: str) -> int:
    """Return how early common sense looks for an object type in a receptacle type: 0 first; both in lower case."""
    return _ranks().get(object_type, {}).get(receptacle_type, len(_receptacle_types()))


@cache
def _ranks() -> dict[str, dict[str, int]]:
    return {name.lower(): {fit.lower(): rank for rank, fit in enumerate(kind.fits)} for name, kind in OBJECTS.items()}


@cache
def _receptacle_types() -> tuple[str, ...]:
    return tuple(sorted({name for kind in KINDS.values() for name in kind.receptacles}))
