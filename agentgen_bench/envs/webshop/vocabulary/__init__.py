"""The words of the generated catalogue: product types, their attributes and options, shop texts, brands."""

from agentgen_bench.envs.webshop.vocabulary import beauty, electronics, fashion, garden, grocery
from agentgen_bench.envs.webshop.vocabulary.kinds import Department, Group, Option, ProductType

DEPARTMENTS: tuple[Department, ...] = tuple(
    module.DEPARTMENT for module in (beauty, electronics, garden, fashion, grocery)
)
TYPES: tuple[tuple[Department, ProductType], ...] = tuple(
    (department, kind) for department in DEPARTMENTS for kind in department.types
)
BRANDS = (
    "Alderwick Bellhaven Brightmoor Cedarline Copperleaf Corvane Dunmarrow Eastvale Elmbridge Fairlock Fernhollow "
    "Foxbury Glenmara Halvorsen Hartwell Ivoryton Juniper Kestrel Larkfield Lindqvist Maplecrest Marlowe Meridian "
    "Mossgate Norhaven Oakhurst Orrin Pemberly Pinecroft Quillon Ravensworth Rivermont Rowanby Saltmarsh "
    "Silverton Sorrel Stonefield Tamsin Thornbury Trevane Umberly Valcourt Verano Wexcombe Whitlow Willowmere "
    "Winslet Yarrow Zephra Zinnia"
).split()
SERIES = (
    "Aria Atlas Basics Bloom Classic Comet Daily Drift Echo Ember Essentials Everyday Harbor Heritage Horizon "
    "Luna Mosaic Nova Origin Pure Select Signature Sierra Studio Tempo Terra Urban Vista Voyage Wander"
).split()

__all__ = ["BRANDS", "DEPARTMENTS", "SERIES", "TYPES", "Department", "Group", "Option", "ProductType"]
