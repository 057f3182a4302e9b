"""A study's entry as the run folders and the file of roles that it was made from, for tools that read these."""

from pathlib import Path

import yaml

from agentgen_bench.episodes import SCHEMA_VERSION, to_line
from agentgen_bench.evaluation.folder import EPISODES, MANIFEST, write_json, write_text
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.protocol import load_protocol
from agentgen_bench.leaderboard.study_entry import read_study_metadata
from agentgen_bench.leaderboard.study_folder import STUDY
from agentgen_bench.leaderboard.study_records import episodes_at, read_origins, run_episodes, study_suite


def unpack_study(path: Path, folder: Path) -> Path:
    """Write the runs of a study's entry below a folder and return the file that names them with their roles.

    The episodes are compact, as the entry holds them: without the texts of observations, which a replay brings back.
    Those that lie elsewhere are fetched.

    Raises:
        EntryError: the entry is damaged, or its episodes cannot be fetched.
    """
    path = path.absolute()
    protocol = load_protocol(path.parent.name)
    metadata = read_study_metadata(path, protocol)
    suite, origins = study_suite(protocol, metadata), read_origins(path, metadata)
    for name in metadata.study.folders:
        run, own = folder / name, metadata.of_run(name, protocol.repeats)
        run.mkdir(parents=True)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "command": "",
            "plan": suite_plan(suite, protocol.repeats).to_json(),
            "policy": dict(own.policy),
            "prompt": dict(own.prompt),
            "record_text": False,
            "versions": dict(own.versions),
            "origin": origins[name].to_json(),
        }
        write_json(run / MANIFEST, manifest)
        file = episodes_at(path, name, metadata, folder / "fetched")
        with (run / EPISODES).open("w", encoding="ascii") as lines:
            lines.writelines(f"{to_line(episode)}\n" for episode in run_episodes(file, name, metadata, protocol))
    write_text(folder / STUDY, yaml.safe_dump(metadata.study.to_json(), sort_keys=False))
    return folder / STUDY
