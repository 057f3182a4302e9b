"""The official games: found, missing, downloaded, and played by their seeds."""

import json
import zipfile

import pytest

from agentgen_bench.cli import main
from agentgen_bench.data.alfworld import EXTRAS, GAMES
from agentgen_bench.envs.alfworld.env import ALFWorldEnv
from agentgen_bench.envs.alfworld.gamefile import Dialect, game_json
from agentgen_bench.envs.alfworld.generator import generate_level
from agentgen_bench.envs.alfworld.settings import LevelSettings
from agentgen_bench.errors import DataError, MissingDependencyError, SpecError
from tests.conftest import reference_json
from tests.data.serve import served

SPLITS = ("train", "valid_seen", "valid_unseen")


def game_of(seed, dialect=Dialect.V04):
    return game_json(generate_level(LevelSettings(), seed).game._replace(dialect=dialect))


def write_games(folder, n_games=3):
    """Write our own levels where the official games lie; one of each split is of the older release."""
    for number, split in enumerate(SPLITS):
        for i in range(n_games):
            path = folder / "json_2.1.1" / split / f"task-{i}" / "trial"
            path.mkdir(parents=True)
            dialect = Dialect.V03 if i == 0 else Dialect.V04
            (path / "game.tw-pddl").write_text(json.dumps(game_of(100 * number + i, dialect)))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_games(tmp_path)


@pytest.mark.parametrize("split", SPLITS)
def test_seeds_play_each_game_of_a_split_once(folder, split):
    env = ALFWorldEnv(data=str(folder), split=split)
    ids = [env.reset(seed=seed)[1]["level_id"] for seed in range(6)]
    assert len(set(ids[:3])) == 3
    assert ids[3:] == ids[:3]


def test_official_games_of_both_releases_are_solved_by_the_oracle(folder):
    env = ALFWorldEnv(data=str(folder), split="valid_seen")
    for seed in range(3):
        env.reset(seed=seed)
        for _ in range(env.expert_length):
            env.step(env.expert_action())
        assert env.success


def test_the_validation_splits_are_found_by_the_environment_variable(folder, monkeypatch):
    monkeypatch.setenv("ALFWORLD_DATA", str(folder))
    official = ALFWorldEnv(split="valid_unseen").reset(seed=0)[1]["level_id"]
    assert official == ALFWorldEnv(data=str(folder), split="valid_unseen").reset(seed=0)[1]["level_id"]


def test_the_environment_variable_leaves_the_generated_splits_alone(folder, monkeypatch):
    plain = ALFWorldEnv().reset(seed=0)
    monkeypatch.setenv("ALFWORLD_DATA", str(folder))
    assert ALFWorldEnv().reset(seed=0) == plain


@pytest.mark.data
def test_the_real_game_plays_and_is_solved_by_the_oracle(tmp_path):
    path = tmp_path / "json_2.1.1" / "train" / "pick_heat" / "trial"
    path.mkdir(parents=True)
    game = reference_json("alfworld/games/real_heat_potato_sinkbasin.tw-pddl.gz")
    (path / "game.tw-pddl").write_text(json.dumps(game))
    env = ALFWorldEnv(data=str(tmp_path))
    env.reset(seed=0)
    commands = []
    while not env.success:
        commands.append(env.expert_action())
        env.step(commands[-1])
    assert len(commands) == env.expert_length == 6


@pytest.mark.parametrize("knobs", [{"data": "nowhere"}, {"split": "valid_seen"}])
def test_missing_data_names_folder_and_both_ways_to_get_it(knobs, monkeypatch):
    monkeypatch.setenv("ALFWORLD_DATA", "nowhere")
    with pytest.raises(DataError, match=r"nowhere/json_2\.1\.1.*agentgen-bench data alfworld.*alfworld-download"):
        ALFWorldEnv(**knobs)


def test_without_any_folder_the_variable_is_named(monkeypatch):
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    with pytest.raises(DataError, match=r"pass data= or set \$ALFWORLD_DATA.*agentgen-bench data alfworld"):
        ALFWorldEnv(split="valid_seen")


def test_a_game_file_and_a_list_of_them_are_played_in_their_order(folder):
    files = [str(path) for path in sorted((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))]
    ids = [ALFWorldEnv(data=file).reset(seed=0)[1]["level_id"] for file in files]
    env = ALFWorldEnv(data=[files[2], files[0]])
    assert [env.reset(seed=seed)[1]["level_id"] for seed in range(3)] == [ids[2], ids[0], ids[2]]


def test_a_named_file_that_is_missing_or_unsolvable_is_named(folder):
    path = next((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))
    with pytest.raises(DataError, match=r"no game file at .*none.tw-pddl"):
        ALFWorldEnv(data=[str(path), str(folder / "none.tw-pddl")])
    with pytest.raises(DataError, match="data= names no game"):
        ALFWorldEnv(data=[])
    path.write_text(json.dumps({**json.loads(path.read_text()), "solvable": False}))
    with pytest.raises(DataError, match="is marked unsolvable"):
        ALFWorldEnv(data=str(path))


def test_a_named_game_of_another_split_is_refused(folder):
    path = next((folder / "json_2.1.1" / "valid_unseen").rglob("game.tw-pddl"))
    with pytest.raises(DataError, match=r"is a game of the split valid_unseen, not of train; give"):
        ALFWorldEnv(data=str(path))
    assert ALFWorldEnv(data=str(path), split="valid_unseen").reset(seed=0)[1]["level_id"]


def test_every_named_game_is_read_before_the_first_is_played(folder):
    good, bad, _ = sorted((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))
    game = json.loads(bad.read_text())
    bad.write_text(json.dumps({**game, "grammar": game["grammar"].replace("You open", "You pry open")}))
    with pytest.raises(DataError, match="backend='textworld'"):
        ALFWorldEnv(data=[str(good), str(bad)])


def test_games_added_and_changed_later_are_seen_by_a_new_environment(folder):
    def played():
        env = ALFWorldEnv(data=str(folder))
        return {env.reset(seed=seed)[1]["level_id"] for seed in range(4)}

    before = played()
    place = folder / "json_2.1.1" / "train" / "task-9"
    place.mkdir()
    (place / "game.tw-pddl").write_text(json.dumps(game_of(900)))
    assert len(before) == 3
    assert len(played() - before) == 1
    (place / "game.tw-pddl").write_text(json.dumps({**game_of(900), "solvable": False}))
    assert played() == before


def test_the_record_says_which_game_was_played(folder, tmp_path):
    env = ALFWorldEnv(data=str(folder))
    env.reset(seed=0)
    assert (folder / env.analysis()["game"]).is_file()
    (tmp_path / "mine.tw-pddl").write_text(json.dumps(game_of(5)))
    env = ALFWorldEnv(data=str(tmp_path / "mine.tw-pddl"))
    env.reset(seed=0)
    assert env.analysis()["game"] == "mine.tw-pddl"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pddl_problem": None}, "key 'pddl_problem' should hold a string, got None"),
        ({"grammar": [1]}, "key 'grammar' should hold a string, got "),
        ({"pddl_domain": None}, "key 'pddl_domain' should hold a string, got None"),
    ],
)
def test_a_game_of_wrong_types_is_named_by_file_and_key_before_anything_is_played(folder, change, message):
    path = sorted((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))[1]
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=rf"task-1/trial/game.tw-pddl: .*{message}"):
        ALFWorldEnv(data=str(folder))


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "[]", '{"grammar": ""}', "\x00"])
def test_a_file_that_is_no_game_is_named(folder, text):
    path = sorted((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))[1]
    path.write_text(text)
    with pytest.raises(DataError, match=r"task-1/trial/game.tw-pddl: not a game"):
        ALFWorldEnv(data=str(folder))


def test_a_byte_order_mark_of_a_game_is_skipped(folder):
    path = next((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))
    plain = ALFWorldEnv(data=str(path)).reset(seed=0)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert ALFWorldEnv(data=str(path)).reset(seed=0) == plain


def test_an_empty_split_is_named(folder):
    for path in (folder / "json_2.1.1" / "valid_seen").rglob("game.tw-pddl"):
        path.unlink()
    with pytest.raises(DataError, match=r"no solvable game.tw-pddl below .*valid_seen"):
        ALFWorldEnv(data=str(folder), split="valid_seen")


def test_unsolvable_and_unsupported_games_are_left_out(folder):
    games = sorted((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))
    games[0].write_text(json.dumps({**json.loads(games[0].read_text()), "solvable": False}))
    sliced = folder / "json_2.1.1" / "train" / "pick-AppleSliced-1"
    sliced.mkdir()
    games[1].rename(sliced / "game.tw-pddl")
    env = ALFWorldEnv(data=str(folder))
    assert len({env.reset(seed=seed)[1]["level_id"] for seed in range(4)}) == 1


def test_rules_the_engine_does_not_know_are_refused_with_the_way_out(folder):
    path = next(iter(sorted((folder / "json_2.1.1" / "train").rglob("game.tw-pddl"))))
    game = json.loads(path.read_text())
    for other in (folder / "json_2.1.1" / "train").rglob("game.tw-pddl"):
        other.write_text(json.dumps({**game, "grammar": game["grammar"].replace("You open", "You pry open")}))
    env = ALFWorldEnv(data=str(folder))
    with pytest.raises(DataError, match="backend='textworld'"):
        env.reset(seed=0)


def test_settings_of_generated_levels_do_not_go_with_official_games(folder):
    with pytest.raises(SpecError, match="shape generated levels"):
        ALFWorldEnv(data=str(folder), n_receptacles=6)
    with pytest.raises(SpecError, match="choose one of: train, valid_seen, valid_unseen"):
        ALFWorldEnv(data=str(folder), split="test")


def test_a_missing_official_stack_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.delenv("AGENTGEN_ALFWORLD_PYTHON", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[alfworld\]'"):
        ALFWorldEnv(backend="textworld")


def test_an_unknown_backend_is_named():
    with pytest.raises(SpecError, match="unknown backend 'thor'; choose one of: engine, textworld"):
        ALFWorldEnv(backend="thor")


def release(folder, tmp_path):
    """Return a folder with the release files as the official server has them."""
    for address in (GAMES, *EXTRAS):
        archive = tmp_path / "release" / address
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("game.tw-pddl")):
                name = str(path.relative_to(folder))
                file.write(path, name if address == GAMES else name.replace("game.tw-pddl", "traj_data.json"))
    return tmp_path / "release"


def test_the_command_downloads_unpacks_and_counts(tmp_path, capsys):
    releases = release(write_games(tmp_path / "games"), tmp_path)
    target = tmp_path / "target"
    with served(releases) as url:
        code = main(["data", "alfworld", "--folder", str(target), "--url", url, "--everything"])
    out, err = capsys.readouterr()
    assert code == 1  # three games a split are fewer than the release has
    assert "valid_unseen      3 games of 134" in out
    assert "json_2.1.2_tw-pddl.zip" in err
    assert "fewer games" in err
    assert not list(target.glob("*.zip"))
    assert len(list(target.rglob("traj_data.json"))) == 9
    assert ALFWorldEnv(data=str(target), split="valid_seen").reset(seed=0)


def test_a_complete_download_says_how_to_use_it(tmp_path, capsys, monkeypatch):
    releases = release(write_games(tmp_path / "games"), tmp_path)
    counts = dict.fromkeys(SPLITS, 3)
    monkeypatch.setattr("agentgen_bench.data.alfworld.OFFICIAL_COUNTS", counts)
    monkeypatch.setattr("agentgen_bench.cli.data.OFFICIAL_COUNTS", counts)
    with served(releases) as url:
        assert main(["data", "alfworld", "--folder", str(tmp_path / "target"), "--url", url, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert f"data='{tmp_path / 'target'}'" in out
    assert err == ""


def test_a_server_without_the_files_is_one_line(tmp_path, capsys):
    with served(tmp_path) as url:
        code = main(["data", "alfworld", "--folder", str(tmp_path / "target"), "--url", url, "--quiet"])
    assert code == 1
    assert "the server answered 404" in capsys.readouterr().err
