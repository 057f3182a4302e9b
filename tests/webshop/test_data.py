"""The user's data: files, errors, bounded reading, the disk cache, the paper preset."""

import dataclasses
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgen_bench import make
from agentgen_bench.envs.webshop import cache, rawdata
from agentgen_bench.envs.webshop import shop as shop_module
from agentgen_bench.envs.webshop.catalogue import Catalogue
from agentgen_bench.envs.webshop.generate import GeneratedSource, generated_arrays, raw_records
from agentgen_bench.envs.webshop.product import Record, decoded, encoded, parsed_product
from agentgen_bench.envs.webshop.requests import data_arrays, request_table
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.errors import DataError
from tests.conftest import REFERENCE_DATA, reference_json

SOURCE = GeneratedSource("train", PRESETS["easy"], 40)
REVIEW = {"title": "Good", "stars": "4.0", "review": "nice"}


@pytest.fixture
def raw():
    """Return 40 products and their annotations in the original's schema."""
    records = list(raw_records(SOURCE, []))
    products = [product for product, _ in records]
    annotations = {product["asin"]: annotation for product, annotation in records}
    for product, annotation in records:
        annotation["instruction"] = f"Find me {annotation['attributes'][0]} {product['query']}"
        annotation["instruction_attributes"] = annotation["attributes"][:1]
    return products, annotations


@pytest.fixture
def folder(tmp_path, raw):
    """Return a data folder with those products."""
    place = tmp_path / "data"
    place.mkdir()
    (place / "items_shuffle.json").write_text(json.dumps(raw[0]))
    (place / "items_ins_v2.json").write_text(json.dumps(raw[1]))
    return place


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTGEN_CACHE_DIR", str(tmp_path / "cache"))
    shop_module.open_shop.cache_clear()
    yield
    shop_module.open_shop.cache_clear()


def read(folder, n_products=None, scratch=None):
    return list(rawdata.products(rawdata.found_files(folder), n_products, scratch))


def test_one_loader_reads_generated_records_and_files(folder):
    generated = Catalogue(generated_arrays(SOURCE, None))
    found = [dataclasses.replace(product, requests=()) for product in read(folder)]
    assert found == [generated.product(number) for number in range(40)]


def test_gzipped_files_read_the_same(folder):
    expected = read(folder)
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read(folder) == expected


def test_annotations_in_a_scratch_file_read_the_same(folder, tmp_path):
    assert read(folder, scratch=tmp_path) == read(folder)


def test_the_first_n_records_are_read(folder):
    assert read(folder, 7) == read(folder)[:7]


def test_repeated_and_unusable_asins_are_left_out_as_in_the_original(folder, raw):
    products = [*raw[0][:3], raw[0][0], {**raw[0][4], "asin": "nan"}, {**raw[0][5], "asin": "ELEVENCHARS"}]
    (folder / "items_shuffle.json").write_text(json.dumps(products))
    assert [product.asin for product in read(folder)] == [product["asin"] for product in raw[0][:3]]


def test_a_product_survives_storage(folder):
    for product in read(folder):
        assert decoded(encoded(product)) == product


@pytest.mark.parametrize(
    ("price", "prices", "tag"),
    [
        ("$9.50", (9.5,), "$9.5"),
        ("$10.52 - $40.5", (10.52, 40.5), "$10.52 to $40.5"),
        ("", (), "$100.0"),
        (None, (), "$100.0"),
        ("$1,299.00", (1299.0,), "$1299.0"),
    ],
)
def test_prices_are_read_as_the_original_reads_them(raw, price, prices, tag):
    product = parsed_product(Record({**raw[0][0], "pricing": price}, "file", "A"), None, ())
    assert (product.prices, product.price_tag) == (prices, tag)


def test_option_names_and_values_are_read_as_the_original_reads_them(raw):
    options = {"Color": [{"value": " Red/Blue "}], "Size": None}
    product = parsed_product(Record({**raw[0][0], "customization_options": options}, "file", "A"), None, ())
    assert product.options == (("color", ("red | blue",)),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 5}, "key 'name': expected a string, got 5"),
        ({"pricing": "$.-"}, "key 'pricing': expected a price such as '$9.99', got '$.-'"),
        ({"small_description": 3}, "key 'small_description': expected a string or a list of strings, got 3"),
        ({"customization_options": {"a": [{}]}}, "key 'customization_options': expected a mapping from names"),
        ({"pricing": "$" + 400 * "9"}, "key 'pricing': expected a price such as '$9.99', got '$999"),
        ({"pricing": 9.5}, "key 'pricing': expected a price such as '$9.99', got 9.5"),
        ({"reviews": [{}], "average_rating": 4}, "key 'reviews': expected title, stars (or score) and review, got {}"),
        ({"reviews": {"a": 1}, "average_rating": 4}, "key 'reviews': expected a list of reviews, got {'a': 1}"),
        ({"reviews": [REVIEW], "average_rating": None}, "key 'average_rating': expected a number beside reviews"),
        ({"reviews": [{**REVIEW, "stars": "nan"}], "average_rating": 4}, "key 'reviews': expected title, stars"),
        ({"title_nouns": None}, "key 'title_nouns': expected a list of strings, got None"),
        ({"name": "hose \ud83d"}, "key 'name': expected Unicode text, got half a surrogate pair: 'hose \\ud83d'"),
        ({"small_description": ["\ud83d"]}, "key 'small_description': expected Unicode text"),
        ({"customization_options": {"a": [{"value": "\ud83d"}]}}, "key 'customization_options': expected Unicode text"),
    ],
)
def test_a_broken_record_is_named_by_file_product_and_key(folder, raw, change, message):
    (folder / "items_shuffle.json").write_text(json.dumps([{**raw[0][0], **change}]))
    with pytest.raises(DataError) as raised:
        read(folder)
    assert f"items_shuffle.json, product '{raw[0][0]['asin']}', {message}" in str(raised.value)


@pytest.mark.parametrize("review", [{**REVIEW, "score": 2}, {"title": "Good", "score": "2"}])
def test_reviews_are_read_as_the_original_reads_them(folder, raw, review):
    raw[0][0] |= {"reviews": [review], "average_rating": 4.5}
    (folder / "items_shuffle.json").write_text(json.dumps(raw[0][:1]))
    (product,) = read(folder)
    assert (product.rating, product.reviews) == ("4.5", (("Good", 2.0, review.get("review", "")),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": None}, "key 'attributes': expected a list of strings, got None"),
        ({"attributes": ["\udc00"]}, "key 'attributes': expected Unicode text"),
        ({"instruction": 5}, "key 'instruction': expected a string, got 5"),
        ({"instruction_attributes": [5]}, "key 'instruction_attributes': expected a list of strings, got [5]"),
    ],
)
def test_a_broken_annotation_is_named_by_file_product_and_key(folder, raw, change, message):
    asin = raw[0][0]["asin"]
    whole = {"attributes": ["long"], "instruction": "a hose", "instruction_attributes": ["long"]}
    (folder / "items_ins_v2.json").write_text(json.dumps({asin: {**whole, **change}}))
    with pytest.raises(DataError) as raised:
        read(folder)
    assert f"items_ins_v2.json, product '{asin}', {message}" in str(raised.value)


WHOLE = {"instruction": "a", "instruction_attributes": ["long"], "instruction_options": []}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (None, "expected a list of human instructions, got None"),
        ([5], r"expected a list of human instructions, got \[5\]"),
        ([{**WHOLE, "instruction": None}], "key 'instruction': expected a string, got None"),
        ([{**WHOLE, "instruction_options": None}], "key 'instruction_options': expected a list of strings, got None"),
        ([{**WHOLE, "instruction_attributes": "long"}], "key 'instruction_attributes': expected a list of strings"),
    ],
)
def test_a_broken_human_instruction_is_named_by_file_product_and_key(folder, raw, entries, message):
    asin = raw[0][0]["asin"]
    (folder / "items_human_ins.json").write_text(json.dumps({asin: entries}))
    with pytest.raises(DataError, match=rf"items_human_ins.json, product '{asin}'.*{message}"):
        read(folder)


def test_human_instructions_that_are_no_mapping_are_named(folder):
    (folder / "items_human_ins.json").write_text("[1]")
    with pytest.raises(DataError, match=r"items_human_ins.json: expected a mapping from asins .*, got the element 1"):
        read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "items_shuffle.json is no data of WebShop: its brackets lie too deep in each other"),
        (f"[{'9' * 5000}]", "items_shuffle.json holds a value that cannot be read: Exceeds the limit"),
        ("{1: 2}", "items_shuffle.json: expected a key in double quotes, got 1"),
        ('{"\\ud83d": 2}', "items_shuffle.json: the key '.ud83d' holds half a surrogate pair"),
    ],
)
def test_what_no_parser_reads_is_named(folder, text, message):
    (folder / "items_shuffle.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder)


@pytest.mark.parametrize("name", ["items_shuffle.json", "items_ins_v2.json"])
def test_a_byte_order_mark_is_skipped(folder, name):
    expected = read(folder)
    path = folder / name
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(folder) == expected


def test_a_missing_key_is_named(folder, raw):
    del raw[0][0]["query"]
    (folder / "items_shuffle.json").write_text(json.dumps(raw[0][:1]))
    with pytest.raises(DataError, match="key 'query': expected a string, got nothing"):
        read(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        read(tmp_path / "nowhere")


def test_missing_files_are_named_with_where_they_are_offered(folder):
    (folder / "items_ins_v2.json").unlink()
    with pytest.raises(DataError, match=r"no items_ins_v2.json\(.gz\); the original project offers it .*WebShop"):
        read(folder)
    (folder / "items_shuffle.json").unlink()
    with pytest.raises(DataError, match=r"neither items_shuffle.json nor items_shuffle_1000.json"):
        read(folder)


@pytest.mark.parametrize("keep", [1, 200, 5000])
def test_a_file_that_ends_early_is_named(folder, keep):
    path = folder / "items_shuffle.json"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"items_shuffle.json"):
        read(folder)


def test_a_damaged_archive_is_named(folder):
    path = folder / "items_shuffle.json"
    packed = gzip.compress(path.read_bytes())
    path.with_name("items_shuffle.json.gz").write_bytes(packed[: len(packed) // 2])
    path.unlink()
    with pytest.raises(DataError, match=r"items_shuffle.json.gz"):
        read(folder)


values = st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda v: st.lists(v, max_size=3), max_leaves=5)


@given(st.lists(values, max_size=8) | st.dictionaries(st.text(max_size=5), values, max_size=8), st.integers(1, 9))
@settings(max_examples=50)
def test_streamed_elements_are_those_of_the_whole_file(tmp_path_factory, content, indent):
    path = tmp_path_factory.mktemp("json") / "file.json"
    path.write_text(json.dumps(content, indent=indent))
    size, rawdata.CHUNK_CHARS = rawdata.CHUNK_CHARS, 5
    try:
        found = list(rawdata.json_elements(path))
    finally:
        rawdata.CHUNK_CHARS = size
    assert found == (content if isinstance(content, list) else list(content.items()))


# --- the disk cache


def paper(folder, **knobs):
    return make("AgentGen/WebShop-base-v0", difficulty="paper", data=str(folder), **knobs)


def cached_folders(tmp_path):
    return sorted((tmp_path / "cache" / "webshop").glob("data-*"))


def test_a_second_process_reads_the_catalogue_from_the_cache(folder, tmp_path, monkeypatch):
    first = paper(folder).reset(seed=1)
    assert len(cached_folders(tmp_path)) == 1
    shop_module.open_shop.cache_clear()
    monkeypatch.setattr(shop_module, "data_arrays", None)  # building again would fail
    assert paper(folder).reset(seed=1) == first


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "no meta", "odd meta"])
def test_a_broken_cache_is_built_again(folder, tmp_path, damage):
    first = paper(folder).reset(seed=1)
    place = cached_folders(tmp_path)[0]
    path = place / ("meta.json" if "meta" in damage else "products.bin")
    content = path.read_bytes()
    path.unlink()
    if damage != "no meta":
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"#" * len(content))
    shop_module.open_shop.cache_clear()
    assert paper(folder).reset(seed=1) == first
    assert cache._loaded(place) is not None


def test_without_a_writable_cache_all_stays_in_memory(folder, tmp_path, monkeypatch):
    first = paper(folder).reset(seed=1)
    shop_module.open_shop.cache_clear()
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("AGENTGEN_CACHE_DIR", str(blocked))
    assert paper(folder).reset(seed=1) == first


def test_changed_data_is_read_anew(folder, raw):
    before = len(paper(folder).unwrapped._shop.catalogue)
    (folder / "items_shuffle.json").write_text(json.dumps(raw[0][:30]))
    shop_module.open_shop.cache_clear()
    assert (before, len(paper(folder).unwrapped._shop.catalogue)) == (40, 30)


def test_a_crash_while_building_leaves_nothing_behind(tmp_path):
    def build(folder):
        raise DataError("broken")

    with pytest.raises(DataError):
        cache.cached("key", build)
    assert list((tmp_path / "cache" / "webshop").iterdir()) == []


# --- the paper preset


def test_the_environment_variable_names_the_data(folder, monkeypatch):
    monkeypatch.setenv("AGENTGEN_WEBSHOP_DATA", str(folder))
    assert make("AgentGen/WebShop-base-v0", difficulty="paper").reset(seed=1) == paper(folder).reset(seed=1)


def test_a_split_without_goals_says_what_is_missing(folder):
    with pytest.raises(DataError, match=r"no goals for split 'train'; it needs items_human_ins.json"):
        paper(folder, human_goals=True).reset(seed=1)


@pytest.mark.data
@pytest.mark.parametrize("split", ["train", "valid", "test", "ood_types", "ood_phrasing"])
def test_every_goal_drawn_from_the_originals_data_can_be_met(split):
    env = paper(REFERENCE_DATA / "webshop", split=split)
    for seed in range(30):
        env.reset(seed=seed)
        terminated = truncated = False
        while not (terminated or truncated):
            _, reward, terminated, truncated, _ = env.step(env.unwrapped.expert_action())
        assert reward == 1.0


@pytest.mark.data
def test_splits_of_the_originals_data_share_no_product_and_ood_types_no_query():
    files = rawdata.found_files(REFERENCE_DATA / "webshop")
    arrays = data_arrays(files, None, None)
    table, catalogue = request_table(arrays), Catalogue(arrays)
    splits = ("train", "valid", "test", "ood_types")
    asins = [{catalogue.product(table.products[row]).asin for row in table.rows(split, False)} for split in splits]
    assert min(len(found) for found in asins) > 20
    assert len(set.union(*asins)) == sum(len(found) for found in asins)
    queries = [{catalogue.product(table.products[row]).query for row in table.rows(split, False)} for split in splits]
    assert queries[3].isdisjoint(set.union(*queries[:3]))


@pytest.mark.data
def test_the_originals_6910_synthetic_goals_are_drawn_with_its_weights():
    arrays = data_arrays(rawdata.found_files(REFERENCE_DATA / "webshop"), None, None)
    table, catalogue = request_table(arrays), Catalogue(arrays)
    assert table.combinations[~table.human].sum() == 6910
    assert table.human.sum() == 13
    rows = {catalogue.product(number).asin: row for row, number in enumerate(table.products) if not table.human[row]}
    for episode in reference_json("webshop/transcripts_original_1k.json.gz")["episodes"]:
        row = rows[episode["goal"]["asin"]]
        assert table.weights[row] / table.combinations[row] == pytest.approx(episode["goal"]["weight"])
