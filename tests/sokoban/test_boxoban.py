import pytest

from agentgen_bench.errors import DataError, SpecError
from tests.conftest import reference_json
from tests.sokoban.boards import make


@pytest.fixture
def level_file(tmp_path):
    path = tmp_path / "000.txt"
    path.write_text("; 0\n#####\n#@$.#\n#####\n; 1\n######\n#@   #\n# $  #\n#  *.#\n#    #\n######\n")
    return path


def test_a_file_is_played_level_by_level_and_round(level_file):
    env = make(levels=str(level_file), board="xsb")
    boards = [env.reset(seed=seed)[0] for seed in range(3)]
    assert boards[0] == "######\n#@$.##\n######\n######\n######\n######"
    assert boards[1] == "######\n#@   #\n# $  #\n#  *.#\n#    #\n######"
    assert boards[2] == boards[0]


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "0.txt").write_text("#####\n#@$.#\n#####\n")
    (tmp_path / "a.txt").write_text("######\n#@ $.#\n######\n")
    (tmp_path / "notes.md").write_text("no board")
    env = make(levels=str(tmp_path), board="xsb")
    assert [env.reset(seed=seed)[0].split("\n")[1] for seed in (0, 1)] == ["#@ $.#", "#@$.##"]


@pytest.mark.data
def test_boxoban_levels_are_drawn_as_published_with_their_optima(tmp_path):
    levels = reference_json("boxoban/optima.json.gz")[:12]
    text = "".join(f"; {i}\n" + "\n".join(level["rows"]) + "\n\n" for i, level in enumerate(levels))
    (tmp_path / "levels.txt").write_text(text)
    env = make(levels=str(tmp_path / "levels.txt"), board="xsb")
    for seed, level in enumerate(levels):
        assert env.reset(seed=seed)[0].split("\n") == level["rows"]
        assert env.expert_length == level["optimal_moves"]
        assert env.max_steps == 3 * level["optimal_moves"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no Sokoban levels in .*; expected a text file, or a folder of .txt files, of XSB boards"),
        ("#####\n#@$.#\n", r"level 1 is open beside row 1, column 3 \(counted from 0\); walls must close the board"),
        ("@$.#\n####\n", "level 1 is open beside row 0, column 2"),
        ("#####\n#@$. \n#####\n", "level 1 is open beside row 1, column 3"),
        ("###########\n#@$.      #\n###########\n", "level 1 is 11 cells wide or high; at most 10 are possible"),
        ("#####\n#@$.#\n#####\n\n#####\n#@$x#\n#####\n", "level 2 holds 'x'; boards are drawn with"),
        ("#####\n# $.#\n#####\n", "level 1 has 0 players; it must have exactly one"),
        ("######\n#@$$.#\n######\n", "level 1 has 2 boxes and 1 targets; they must be equally many, from 1 to 6"),
        ("#####\n#@  #\n#####\n", "level 1 has 0 boxes and 0 targets"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(tmp_path, text, message):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        make(levels=str(tmp_path / "bad.txt"))


@pytest.mark.parametrize(
    ("row", "message"),
    [("#@.$#", "bad.txt, level 2 has no solution"), ("#@ *#", "bad.txt, level 2 is solved at the start")],
)
def test_a_level_that_cannot_be_played_is_refused_before_any_is_played(tmp_path, row, message):
    (tmp_path / "bad.txt").write_text(f"#####\n#@$.#\n#####\n\n#####\n{row}\n#####\n")
    with pytest.raises(DataError, match=message):
        make(levels=str(tmp_path / "bad.txt"))


def test_a_byte_order_mark_is_skipped_and_a_tilde_expanded(level_file, monkeypatch):
    plain = make(levels=str(level_file)).reset(seed=0)
    level_file.write_bytes(b"\xef\xbb\xbf" + level_file.read_bytes())
    monkeypatch.setenv("HOME", str(level_file.parent))
    assert make(levels="~/000.txt").reset(seed=0) == plain


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"cannot read Sokoban levels from /nowhere/at/all.txt: No such file"):
        make(levels="/nowhere/at/all.txt")


@pytest.mark.parametrize(
    ("levels", "message"), [(5, "levels=5 is no text; give a file"), ("", "levels='' names nothing")]
)
def test_what_names_no_file_is_refused(levels, message):
    with pytest.raises(SpecError, match=message):
        make(levels=levels)


def test_knobs_of_generated_levels_do_not_go_with_a_file(level_file):
    with pytest.raises(SpecError, match="brings its own levels; leave out size, boxes, pushes, moves, walk_steps"):
        make(levels=str(level_file), pushes=3)
