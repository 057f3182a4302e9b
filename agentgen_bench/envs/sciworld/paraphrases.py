"""The simulator's 30 tasks in other words.

`focus on` stays as it is: it is the name of an action. What a task says of where things are and in which order to act
is part of it, so each paraphrase says it too.
"""

from agentgen_bench.envs.paraphrasing import Form

_STATE = "First, focus on the substance. Then, take actions that will cause it to change its state of matter."
_STATE_OTHERS = (
    "Begin with: focus on the substance. After that, do what makes its state of matter change.",
    "Before anything else, focus on the substance; then bring about the change of its state of matter.",
)
_CIRCUIT = "First, focus on the {part}. Then, create an electrical circuit that powers it on."
_CIRCUIT_OTHERS = (
    "Begin with: focus on the {part}. After that, wire up a circuit that supplies it.",
    "Before anything else, focus on the {part}; then build the electrical circuit that it runs on.",
)
_MOVED = "First, focus on the thing. Then, move it to the {box} in the {room}."
_MOVED_OTHERS = (
    "When you have one, focus on the thing; after that it has to go into the {box} in the {room}.",
    "Focus on the thing before you touch it, and then bring it to the {box}, which is in the {room}.",
)
_MELTING = (
    "First, focus on the thermometer. Next, focus on the {thing}. If the melting point of {thing} is above {limit} "
    "degrees celsius, focus on the {above}. If the melting point of {thing} is below {limit} degrees celsius, focus on "
    "the {below}. The boxes are located around the {room}."
)


def _each(start: str, starts: tuple[str, ...], rest: str, rests: tuple[str, ...]) -> Form:
    """Return the form of two sentences: each way to begin with each way to go on."""
    return Form(f"{start} {rest}", tuple(f"{first} {second}" for first in starts for second in rests))


FORMS = (
    _each(
        "Your task is to boil {thing}. For compounds without a boiling point, combusting the substance is also "
        "acceptable.",
        (
            "Make {thing} boil. Burning the substance counts too where it has no boiling point.",
            "What is wanted: {thing}, boiled, or burnt if it is a compound without a boiling point.",
        ),
        _STATE,
        _STATE_OTHERS,
    ),
    _each(
        "Your task is to melt {thing}.",
        ("Turn {thing} from solid to liquid by melting.", "What is wanted: {thing}, melted."),
        _STATE,
        _STATE_OTHERS,
    ),
    _each(
        "Your task is to freeze {thing}.",
        ("Make {thing} solid by freezing.", "What is wanted: {thing}, frozen."),
        _STATE,
        _STATE_OTHERS,
    ),
    _each(
        "Your task is to change the state of matter of {thing}.",
        (
            "Give {thing} another state of matter, whichever.",
            "What is wanted: {thing} in a state of matter that is not its present one.",
        ),
        _STATE,
        _STATE_OTHERS,
    ),
    Form(
        "Your task is to measure the temperature of {thing}, which is located around the {place}. First, focus on the "
        "thermometer. Next, focus on the {thing}. If the {thing} temperature is above {limit} degrees celsius, place "
        "it in the {above}. If the {thing} temperature is below {limit} degrees celsius, place it in the {below}. The "
        "boxes are located around the {room}.",
        (
            "Somewhere around the {place} is {thing}: find out how warm it is. Begin with: focus on the thermometer; "
            "then focus on the {thing}. Over {limit} degrees celsius it goes into the {above}, under that into the "
            "{below}. Look for the boxes around the {room}.",
            "Take the temperature of {thing} (around the {place}). Focus on the thermometer before anything else, and "
            "after it focus on the {thing}. Then put it into the {above} if it has more than {limit} degrees celsius, "
            "into the {below} if it has less. Both boxes are around the {room}.",
        ),
    ),
    Form(
        "Your task is to measure the melting point of {thing}, which is located around the {place}. " + _MELTING,
        (
            "At which temperature does {thing} melt? It is around the {place}. Begin with: focus on the thermometer; "
            "then focus on the {thing}. For an answer over {limit} degrees celsius focus on the {above}, for one under "
            "that focus on the {below}. Look for the boxes around the {room}.",
            "Find the melting point of {thing} (around the {place}). Focus on the thermometer before anything else, "
            "and after it focus on the {thing}. If the point lies higher than {limit} degrees celsius, focus on the "
            "{above}; if it lies lower, focus on the {below}. Both boxes are around the {room}.",
        ),
    ),
    _each(
        "Your task is to turn on the {part} by powering it using a {source} power source.",
        (
            "Get the {part} to run on a {source} source of power.",
            "The {part} has to be switched on, with power that is {source}.",
        ),
        _CIRCUIT,
        _CIRCUIT_OTHERS,
    ),
    _each(
        "Your task is to turn on the {part}.",
        ("Get the {part} to run.", "The {part} has to be switched on."),
        _CIRCUIT,
        _CIRCUIT_OTHERS,
    ),
    Form(
        "Your task is to determine if {thing} is electrically conductive. The {thing} is located around the {place}. "
        "First, focus on the {thing}. If it is electrically conductive, place it in the {yes}. If it is electrically "
        "nonconductive, place it in the {no}.",
        (
            "Does {thing} conduct electricity? You find it around the {place}. Begin with: focus on the {thing}. Put "
            "it into the {yes} if it does, into the {no} if it does not.",
            "Test whether current flows through {thing} (around the {place}). Before that, focus on the {thing}. A "
            "conductor goes into the {yes}, anything else into the {no}.",
        ),
    ),
    _each(
        "Your task is to find a(n) {kind}.",
        ("Somewhere there is a(n) {kind}: find one.", "Look for a(n) {kind}."),
        _MOVED,
        _MOVED_OTHERS,
    ),
    Form(
        "Your task is to grow a {plant} plant from seed. Seeds can be found in the {place}. First, focus on a seed. "
        "Then, make changes to the environment that grow the plant until it reaches the reproduction life stage.",
        (
            "Raise a {plant} plant; its seeds are in the {place}. Begin with: focus on a seed. After that, give it all "
            "it needs until it is in the reproduction stage of its life.",
            "From a seed of the {place}, make a {plant} plant. Before anything else, focus on a seed; then care for "
            "the plant until its life stage is reproduction.",
        ),
    ),
    Form(
        "Your task is to grow a {fruit}. This will require growing several plants, and them being crosspollinated to "
        "produce fruit.  Seeds can be found in the {place}. To complete the task, focus on the grown {fruit}.",
        (
            "Let a {fruit} grow: it takes several plants that pollinate one another. The seeds are in the {place}. "
            "When the fruit is there, focus on the grown {fruit}.",
            "A {fruit} is wanted, grown from seeds of the {place} by way of several plants and cross-pollination. The "
            "last thing to do is to focus on the grown {fruit}.",
        ),
    ),
    Form(
        "Your task is to use chemistry to create the substance '{made}'. A recipe and some of the ingredients might be "
        "found near the {place}. When you are done, focus on the {made}.",
        (
            "By mixing, make the substance '{made}'. Near the {place} you may find the recipe and a part of what it "
            "takes. At the end, focus on the {made}.",
            "Chemistry can give you '{made}'; look around the {place} for a recipe and some ingredients. Once it is "
            "made, focus on the {made}.",
        ),
    ),
    Form(
        "Your task is to use chemistry to create {made} paint. When you are part-way done, focus on the intermediate "
        "(secondary color) paint you created.  When you are completely done, focus on the {named} paint.",
        (
            "Mix {made} paint. It takes a secondary color on the way: when you have that, focus on the intermediate "
            "paint. When all is done, focus on the {named} paint.",
            "Get {made} paint by mixing, in two rounds. After the first, focus on the intermediate paint, a secondary "
            "color; after the last, focus on the {named} paint.",
        ),
    ),
    Form(
        "Your task is to use chemistry to create {made} paint. When you are done, focus on the {named} paint.",
        (
            "Mix {made} paint. When all is done, focus on the {named} paint.",
            "Get {made} paint by mixing; at the end, focus on the {named} paint.",
        ),
    ),
    Form(
        "Your task is to find the animal with the {first} life span, then the {second} life span. First, focus on the "
        "animal with the {first} life span.  Then, focus on the animal with the {second} life span. The animals are in "
        "the '{place}' location.",
        (
            "Two animals of the place '{place}' are sought. Begin with the one whose life span is the {first}: focus "
            "on it. After that, focus on the one whose life span is the {second}.",
            "Compare the life spans of the animals at '{place}'. Focus on the animal for which it is the {first}, and "
            "after it focus on the animal for which it is the {second}.",
        ),
    ),
    Form(
        "Your task is to find the animal with the {first} life span.  The animals are in the '{place}' location.  "
        "Focus on the animal with the {first} life span.",
        (
            "Which animal of the place '{place}' has the {first} life span? Focus on it.",
            "Compare the life spans of the animals at '{place}' and focus on the animal for which it is the {first}.",
        ),
    ),
    Form(
        "Your task is to focus on the {n} life stages of the {animal}, starting from earliest to latest.",
        (
            "A life of the {animal} has {n} stages: focus on each of them, the earliest before the later ones.",
            "One by one, from the earliest to the latest, focus on the {n} stages in the life of the {animal}.",
        ),
    ),
    Form(
        "Your task is to focus on the life stages of the {plant}, starting from earliest to latest. The plants are "
        "located {place}.",
        (
            "The plants are {place}. Focus on each stage in the life of the {plant}, the earliest before the later "
            "ones.",
            "One after the other, from the earliest to the latest, focus on the stages in the life of the {plant}; "
            "look for the plants {place}.",
        ),
    ),
    Form(
        "Your task is to determine which of the two inclined planes ({a}, {b}) has the {measure}. After completing "
        "your experiment, focus on the inclined plane with the {measure}.",
        (
            "There are two inclined planes, {a} and {b}. Find out by experiment which has the {measure}, and focus on "
            "that inclined plane.",
            "By an experiment, compare the inclined planes {a} and {b}; when you know the one with the {measure}, "
            "focus on that inclined plane.",
        ),
    ),
    Form(
        "Your task is to determine whether {trait} is a dominant or recessive trait in the {plant} plant. If the trait "
        "is dominant, focus on the {dominant}. If the trait is recessive, focus on the {recessive}.",
        (
            "In the {plant} plant, is {trait} dominant or recessive? For dominant focus on the {dominant}, for "
            "recessive focus on the {recessive}.",
            "Find out how {trait} is inherited in the {plant} plant: focus on the {dominant} if it dominates, focus on "
            "the {recessive} if it is recessive.",
        ),
    ),
)
