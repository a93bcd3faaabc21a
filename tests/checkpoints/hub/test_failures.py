"""Whatever goes wrong between here and the Hub: one line that says what to do, exit code 4, and nothing half done."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.checkpoints.hub.conftest import MODEL, Virst
from tests.checkpoints.hub.server import Hub, sum_of
from tests.commands.running import Done


def failed(done: Done, *says: str, code: int = 4) -> None:
    """One line on stderr that says all this, and nothing on stdout."""
    assert done.code == code, done.err
    assert done.out == ""
    lines = [line for line in done.err.splitlines() if not line.startswith(("download (MB)", "check (MB)"))]
    assert len(lines) == 1, done.err
    for words in says:
        assert words in done.error


def nothing_is_recorded(cache: Path) -> None:
    assert not list(cache.glob("models--*/virst.json"))


def test_a_model_that_does_not_exist(hub: Hub, virst: Virst):
    failed(virst("weights", "pull", "someone/nothing"), "'someone/nothing'", hub.endpoint, "HF_TOKEN")


def test_a_token_that_is_wrong(hub: Hub, model, virst: Virst):
    failed(virst("weights", "pull", MODEL, env={"HF_TOKEN": "hf_wrong"}), "refuses the token (401)", "HF_TOKEN")


def test_a_gated_model(hub: Hub, model, virst: Virst, cache: Path):
    hub.repositories[MODEL].gated = True
    failed(virst("weights", "pull", MODEL), "is gated", f"{hub.endpoint}/{MODEL}", "HF_TOKEN")
    nothing_is_recorded(cache)


def test_a_revision_that_does_not_exist(hub: Hub, model, virst: Virst):
    failed(virst("weights", "pull", f"{MODEL}@v9"), "no revision 'v9'")


@pytest.mark.parametrize(
    ("status", "says"), [(403, "refuses access (403)"), (429, "wait some minutes"), (503, "answers with an error (503)")]
)
def test_a_hub_that_refuses(status, says, hub: Hub, model, virst: Virst):
    hub.fails("/api/models", status=status, times=99)
    failed(virst("weights", "pull", MODEL), says, hub.endpoint)


def test_a_hub_that_fails_in_the_middle(hub: Hub, model, shard, virst: Virst, cache: Path):
    hub.fails(shard, status=500)
    failed(virst("weights", "pull", MODEL), "answers with an error (500)", "the same command continues")
    nothing_is_recorded(cache)
    assert virst("weights", "pull", MODEL).code == 0


def test_one_flipped_byte_is_never_taken(hub: Hub, model, shard, virst: Virst, cache: Path):
    hub.fails(shard, flip=1000)
    failed(virst("weights", "pull", MODEL), "model.safetensors", f"expected sha256 {shard}, got ")
    nothing_is_recorded(cache)
    assert not list(cache.rglob(f"{shard}*"))
    failed(virst("weights", "path", MODEL), f"virst weights pull {MODEL}")
    assert virst("weights", "pull", MODEL).code == 0


def test_one_flipped_byte_of_a_small_file_is_never_taken(hub: Hub, model, virst: Virst):
    hub.publish(MODEL, {**model, "config.json": b"{}", "manifest.json": b"{}"})  # small enough to have no sha256 on the Hub
    hub.fails("/manifest.json", flip=1)
    failed(virst("weights", "pull", MODEL), "manifest.json", f"expected git sha1 {sum_of(b'{}')}, got ")


@pytest.mark.slow
def test_a_connection_that_stays_broken(hub: Hub, model, shard, virst: Virst):
    hub.fails(shard, cut=0, times=99)
    failed(virst("weights", "pull", MODEL), "the download failed", "the same command continues")


def test_a_hub_that_can_not_be_reached(hub: Hub, virst: Virst):
    failed(
        virst("weights", "pull", MODEL, env={"HF_ENDPOINT": "http://127.0.0.1:9"}), "http://127.0.0.1:9", "check the connection"
    )


@pytest.mark.parametrize("text", [b"<html>Please log in</html>", b"[]", b"{}", b'{"id": "a/b", "sha": "../..", "siblings": []}'])
def test_a_server_that_is_not_a_hub(text, hub: Hub, virst: Virst):
    hub.says = text
    failed(virst("weights", "pull", MODEL), "does not answer like a Hugging Face Hub", "HF_ENDPOINT")


def test_offline_and_not_here(hub: Hub, model, virst: Virst):
    with hub.silence():
        failed(virst("weights", "pull", MODEL, "--offline"), "offline")
        failed(virst("weights", "pull", MODEL, env={"HF_HUB_OFFLINE": "1"}), "offline")
        failed(virst("weights", "pull", "virst-7b", "--offline"), "offline")
        failed(virst("--offline", "weights", "pull", "virst-7b"), "offline")


def test_too_little_disk_space_is_reported_before_the_first_byte(hub: Hub, model, shard, virst: Virst):
    hub.repositories[MODEL].claims["model.safetensors"] = 10**15
    done = virst("weights", "pull", MODEL)
    failed(done, "needs 1000000.00 GB more", "HF_HOME", code=5)
    assert not hub.asked(shard)


def test_a_cache_that_can_not_be_written(hub: Hub, model, virst: Virst, tmp_path: Path):
    (tmp_path / "file").touch()
    failed(virst("weights", "pull", MODEL, env={"HF_HOME": str(tmp_path / "file" / "hf")}), "can't be written", "HF_HOME")


def test_a_repository_that_is_not_a_virst_model_costs_nothing(hub: Hub, virst: Virst):
    weights = bytes(100_000)
    hub.publish(MODEL, {"config.json": b"{}", "model.safetensors": weights})
    failed(virst("weights", "pull", MODEL), "is not a virst model", "tokenizer.json, manifest.json")
    assert not hub.asked(sum_of(weights))


def test_a_model_of_another_kind_costs_nothing(hub: Hub, model, shard, virst: Virst):
    hub.publish(MODEL, {**model, "config.json": b'{"model_type": "qwen2"}'})
    failed(virst("weights", "pull", MODEL), f"config.json of {MODEL} is not a virst model configuration")
    assert not hub.asked(shard)


def test_weights_that_are_not_those_of_the_manifest_cost_nothing(hub: Hub, model, shard, virst: Virst):
    other = bytes(len(model["model.safetensors"]))
    hub.publish(MODEL, {**model, "model.safetensors": other})
    failed(virst("weights", "pull", MODEL), "model.safetensors", f"expected sha256 {shard}, got {sum_of(other)}")
    assert not hub.asked(sum_of(other))


def test_a_file_that_the_manifest_lists_and_the_hub_does_not_have(hub: Hub, model, virst: Virst):
    hub.publish(MODEL, {name: data for name, data in model.items() if name != "model.safetensors"})
    failed(virst("weights", "pull", MODEL), "has no model.safetensors")


@pytest.mark.parametrize("name", ["../../../../evil.json", "/tmp/evil.json", "sub/evil.json"])
def test_names_that_lead_elsewhere_are_not_followed(name, hub: Hub, model, virst: Virst, tmp_path: Path):
    manifest = json.loads(model["manifest.json"])
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 4}
    hub.publish(MODEL, {**model, name: b"evil", "manifest.json": json.dumps(manifest).encode()})
    failed(virst("weights", "pull", MODEL), "not a valid manifest")
    assert not list(tmp_path.rglob("evil.json"))


@pytest.mark.parametrize("name", ["virst", "../models/mine", "https://hub/someone/model", "a/b/c", ""])
def test_invalid_names(name, hub: Hub, virst: Virst):
    with hub.silence():
        failed(virst("weights", "pull", name), "virst-7b, owner/name or owner/name@revision", code=2)


@pytest.mark.skipif(find_spec("socksio") is not None, reason="SOCKS proxies work here")
def test_a_socks_proxy_without_its_package(hub: Hub, model, virst: Virst):
    proxy = {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": ""}
    failed(virst("weights", "pull", MODEL, env=proxy), "SOCKS proxy", "pip install 'virst[socks]'")
