"""What the Hub answers to `hf upload`: enough of it that a folder becomes a repository."""

import base64
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.checkpoints.hub.server import Hub


class Uploads:
    """Files on their way into a repository."""

    def __init__(self, hub: "Hub", large: int) -> None:
        self._hub, self._large = hub, large
        self._contents: dict[str, bytes] = {}  # by sha256

    def put(self, path: str, body: bytes) -> dict[str, Any]:
        """The contents of a large file."""
        self._contents[path.rpartition("/")[2]] = body
        return {}

    def post(self, path: str, body: bytes) -> dict[str, Any] | None:
        """Whatever else an upload asks; None where nobody knows."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            return {"url": f"{self._hub.endpoint}/{asked['organization']}/{asked['name']}"}
        if "/preupload/" in path:
            files = [(file["path"], "lfs" if file["size"] >= self._large else "regular") for file in json.loads(body)["files"]]
            return {"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in files]}
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**file, "actions": {"upload": {"href": f"{self._hub.contents}/upload/{file['oid']}"}}}
                for file in json.loads(body)["objects"]
            ]
            return {"transfer": "basic", "objects": objects}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            return self._commit(found[1], [json.loads(line) for line in body.splitlines()])
        return None

    def _commit(self, repository: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        small = {line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"}
        large = {line["value"]["path"]: self._contents[line["value"]["oid"]] for line in lines if line["key"] == "lfsFile"}
        commit = self._hub.publish(repository, {".gitattributes": b"*.safetensors filter=lfs", **small, **large})
        return {"success": True, "commitOid": commit, "commitUrl": f"{self._hub.endpoint}/{repository}/commit/{commit}"}
