"""arXiv 2601.18217, tables 2 and 5: success in %, the environment trained on left out, as fractions."""

from collections.abc import Mapping


def _rates(**percent: float) -> dict[str, float]:
    return {name: value / 100 for name, value in percent.items()}


INITIAL: Mapping[str, Mapping[str, float]] = {
    "V1": _rates(ALFWorld=25.8, WebShop=34.4, Sokoban=12.5, SciWorld=3.1),
    "V2": _rates(ALFWorld=21.9, WebShop=38.3, Sokoban=14.1, SciWorld=18.0),
}
TRAINED: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "V1": {
        "ALFWorld": _rates(WebShop=15.2, Sokoban=14.0),
        "WebShop": _rates(ALFWorld=10.8, Sokoban=12.8),
        "Sokoban": _rates(ALFWorld=20.5, WebShop=15.0),
    },
    "V2": {
        "ALFWorld": _rates(WebShop=30.5, Sokoban=9.8, SciWorld=10.0),
        "WebShop": _rates(ALFWorld=17.0, Sokoban=9.0, SciWorld=13.8),
        "Sokoban": _rates(ALFWorld=20.0, WebShop=34.0, SciWorld=13.0),
        "SciWorld": _rates(ALFWorld=19.8, WebShop=35.8, Sokoban=12.0),
    },
}
AUGMENTED: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "V1": {
        "ALFWorld": _rates(WebShop=23.8, Sokoban=11.2),
        "WebShop": _rates(ALFWorld=17.8, Sokoban=11.0),
        "Sokoban": _rates(ALFWorld=21.2, WebShop=24.8),
    },
    "V2": {
        "ALFWorld": _rates(WebShop=30.3, Sokoban=11.0, SciWorld=12.5),
        "WebShop": _rates(ALFWorld=25.8, Sokoban=11.8, SciWorld=15.5),
        "Sokoban": _rates(ALFWorld=20.8, WebShop=37.0, SciWorld=13.0),
    },
}
