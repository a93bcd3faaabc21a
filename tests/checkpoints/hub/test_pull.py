"""Pulling a model: what is fetched, what is remembered, and when the network is left alone."""

import json
import re
import shutil
from pathlib import Path

from tests.checkpoints.hub.conftest import MODEL, Virst, record
from tests.checkpoints.hub.server import TOKEN, Hub, sum_of

WEIGHTS = "model.safetensors"


def held(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder.strip()).iterdir()}


def test_a_model_comes_whole_and_nothing_else_does(hub: Hub, model: dict[str, bytes], virst: Virst):
    done = virst("weights", "pull", MODEL)
    assert done.code == 0, done.err
    assert held(done.out) == model  # no README, and no code
    assert virst("weights", "path", MODEL).out == done.out
    assert virst("weights", "verify", MODEL).code == 0
    assert json.loads(virst("weights", "list", "--json").out)["models"][0]["name"] == MODEL


def test_commit_and_sums_are_written_beside_the_files(hub: Hub, model: dict[str, bytes], virst: Virst, cache: Path):
    virst("weights", "pull", MODEL)
    commit = hub.repositories[MODEL].names["main"]
    read = record(cache)
    assert read["revisions"]["main"] == commit
    assert read["sha256"][commit].keys() == model.keys()
    assert read["sha256"][commit][WEIGHTS] == sum_of(model[WEIGHTS])


def test_what_is_here_needs_no_network(hub: Hub, model: dict[str, bytes], virst: Virst):
    first = virst("weights", "pull", MODEL)
    hub.publish(MODEL, {**model, "config.json": b"another"})  # main has moved on
    with hub.silence():
        for arguments, env in (((), {}), (("--offline",), {}), ((), {"HF_HUB_OFFLINE": "1"})):
            assert virst("weights", "pull", MODEL, *arguments, env=env).out == first.out
        assert virst("weights", "path", MODEL).out == first.out


def test_a_lost_file_comes_from_the_commit_of_the_first_download(hub: Hub, model: dict[str, bytes], virst: Virst):
    first = virst("weights", "pull", MODEL)
    hub.publish(MODEL, {**model, "config.json": b"another"})
    (Path(first.out.strip()) / "tokenizer.json").unlink()
    again = virst("weights", "pull", MODEL)
    assert again.out == first.out
    assert held(again.out) == model
    assert len(hub.asked(sum_of(model[WEIGHTS]))) == 1  # the large file stayed


def test_a_revision_is_a_model_of_its_own(hub: Hub, model: dict[str, bytes], virst: Virst):
    old = hub.repositories[MODEL].names["main"]
    newer = json.loads(model["manifest.json"])
    newer["source"] = "newer"
    hub.publish(MODEL, {**model, "manifest.json": json.dumps(newer).encode()})
    main, former = virst("weights", "pull", MODEL), virst("weights", "pull", f"{MODEL}@{old}")
    assert Path(former.out.strip()).name == old != Path(main.out.strip()).name
    assert len(hub.asked(sum_of(model[WEIGHTS]))) == 1  # both have the same weights
    names = [found["name"] for found in json.loads(virst("weights", "list", "--json").out)["models"]]
    assert {MODEL, f"{MODEL}@{old}"} <= set(names)
    assert virst("weights", "rm", f"{MODEL}@{old}", "--yes").code == 0
    assert held(main.out)[WEIGHTS] == model[WEIGHTS]


def test_a_token_opens_private_models_and_goes_to_the_hub_only(hub: Hub, model: dict[str, bytes], shard: str, virst: Virst):
    hub.repositories[MODEL].private = True
    refused = virst("weights", "pull", MODEL)
    assert refused.code == 4
    assert "HF_TOKEN" in refused.error
    assert virst("weights", "pull", MODEL, env={"HF_TOKEN": TOKEN}).code == 0
    assert all("authorization" in request.headers for request in hub.asked("/resolve/"))
    assert not any("authorization" in request.headers for request in hub.asked(f"/{shard}"))


def test_nothing_about_this_machine_is_sent(hub: Hub, model: dict[str, bytes], virst: Virst):
    virst("weights", "pull", MODEL)
    agents = {request.headers["user-agent"] for request in hub.requests}
    assert all(re.fullmatch(r"(virst|unknown)/\S+; hf_hub/\S+; python/\S+", agent) for agent in agents), agents


def test_a_proxy_is_used(hub: Hub, model: dict[str, bytes], virst: Virst):
    env = {
        "HF_ENDPOINT": "http://hub.invalid",
        "HTTP_PROXY": hub.endpoint,
        "http_proxy": hub.endpoint,
        "NO_PROXY": "",
        "no_proxy": "",
    }
    done = virst("weights", "pull", MODEL, env=env)
    assert done.code == 0, done.err
    assert {request.headers["host"] for request in hub.asked("/resolve/")} == {"hub.invalid"}


def test_the_caches_own_tools_see_an_ordinary_model(hub: Hub, model: dict[str, bytes], virst: Virst, cache: Path):
    from huggingface_hub import scan_cache_dir

    folder = Path(virst("weights", "pull", MODEL).out.strip())
    seen = scan_cache_dir(cache)
    assert not seen.warnings
    (repo,) = seen.repos
    assert (repo.repo_id, {path.snapshot_path for path in repo.revisions}) == (MODEL, {folder})
    assert repo.refs["main"].commit_hash == folder.name  # `hf cache prune` takes what has no name


def test_rm_frees_the_cache_and_needs_confirmation(hub: Hub, model: dict[str, bytes], virst: Virst, cache: Path):
    folder = Path(virst("weights", "pull", MODEL).out.strip())
    assert "--yes" in virst("weights", "rm", MODEL).error
    planned = virst("weights", "rm", MODEL, "--dry-run")
    assert planned.code == 0
    assert f"would remove {folder}" in planned.err
    assert folder.is_dir()
    assert virst("weights", "rm", MODEL, "--yes").code == 0
    assert not list(cache.glob("models--*"))
    gone = virst("weights", "rm", MODEL, "--yes")
    assert gone.code == 4
    assert "virst weights list" in gone.error


def test_verify_names_a_damaged_file_and_pull_repairs_it(hub: Hub, model: dict[str, bytes], shard: str, virst: Virst):
    folder = Path(virst("weights", "pull", MODEL).out.strip())
    damaged = bytearray(model[WEIGHTS])
    damaged[-1] ^= 1
    (folder / WEIGHTS).resolve().write_bytes(damaged)
    done = virst("weights", "verify", MODEL)
    assert done.code == 4
    assert re.search(rf"{WEIGHTS} is damaged: expected sha256 {shard}, got [0-9a-f]{{64}}", done.error)
    assert f"virst weights pull {MODEL}" in done.error
    assert virst("weights", "pull", MODEL, "--offline").code == 4
    assert virst("weights", "pull", MODEL).code == 0
    assert held(str(folder)) == model
    assert len(hub.asked(sum_of(model["config.json"]))) == 1  # the others were not fetched again


def test_a_model_that_another_program_has_downloaded_is_not_downloaded_again(
    hub: Hub, model: dict[str, bytes], shard: str, virst: Virst, cache: Path
):
    virst("weights", "pull", MODEL)
    next(cache.glob("models--*/virst.json")).unlink()  # this is all that tells
    assert virst("weights", "pull", MODEL).code == 0
    assert len(hub.asked(shard)) == 1


def test_a_moved_cache_still_works(hub: Hub, model: dict[str, bytes], virst: Virst, cache: Path, tmp_path: Path):
    virst("weights", "pull", MODEL)
    shutil.move(cache, tmp_path / "moved")
    with hub.silence():
        done = virst("weights", "pull", MODEL, env={"HF_HUB_CACHE": str(tmp_path / "moved")})
    assert done.out.startswith(str(tmp_path / "moved"))
