"""Where the encoders of the ONNX featurizers lie, and the one place that opens them.

An encoder is a folder with `model.onnx` (or `onnx/model.onnx`), for texts `tokenizer.json`, and `encoder.json`: its
settings, which the operator writes there, so that no project can point at a folder that was not meant for it. Or
it is `hub:owner/name@commit`, fetched once by huggingface_hub where that is installed; the commit pins the bytes.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import AnyArray
from app.core.errors import Invalid

HUB = re.compile(r"hub:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@([0-9a-f]{40})")
FILES = ("model.onnx", "onnx/model.onnx")
FETCHED = [*FILES, "tokenizer.json", "preprocessor_config.json"]


@dataclass(frozen=True)
class EncoderState:
    """Which encoder made the vectors: where it lies, the SHA-256 of its network, its settings, and its width."""

    folder: str
    sha256: str
    width: int
    settings: dict[str, Any]


def check_encoder(model: Any, *, packages: tuple[str, ...]) -> None:
    """Look whether an encoder can be used here, without opening it; nothing is fetched.

    Raises:
        Invalid: no such encoder, or a package is not installed.
    """
    if not isinstance(model, str) or not model:
        raise Invalid("featurizer.model is the folder of an encoder, or hub:owner/name@commit")
    needed = (*packages, "huggingface_hub") if model.startswith("hub:") else packages
    if missing := [name for name in needed if find_spec(name) is None]:
        raise Invalid(f"featurizer: not installed: {', '.join(missing)}; install labelwise[onnx]")
    if not HUB.fullmatch(model):
        _read_settings(model)


def locate(model: str) -> tuple[Path, dict[str, Any]]:
    """The folder of an encoder and its settings; one on the hub is fetched the first time.

    Raises:
        Invalid: no such encoder, or it cannot be fetched.
    """
    found = HUB.fullmatch(model)
    if not found:
        return Path(model), _read_settings(model)
    from huggingface_hub import snapshot_download  # an optional package, only where a project asks for the hub

    try:
        folder = Path(snapshot_download(found[1], revision=found[2], allow_patterns=FETCHED))
    except (OSError, ValueError) as error:
        raise Invalid(f"the encoder {found[1]} could not be fetched: {str(error)[:200]}") from None
    return folder, _hub_settings(folder)


def network(folder: Path) -> Path:
    """The network's file in an encoder's folder. Raises Invalid where there is none."""
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise Invalid("the encoder's folder has no model.onnx")


def digest(path: Path) -> str:
    """SHA-256 of a network's file; computed once while the file stays as it is."""
    about = path.stat()
    return _digest(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=2)
def session(path: Path, sha256: str) -> Any:
    """The opened network. Raises Invalid when its bytes are not those that made the earlier vectors."""
    import onnxruntime  # an optional package: see the extra `onnx`

    if digest(path) != sha256:
        raise Invalid("the encoder's model.onnx has changed since the vectors were made: choose it again")
    try:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # people who label come first
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of exceptions for each kind of fault, without a common base
        raise Invalid(f"the encoder cannot be opened: {str(error)[:200]}") from None


def output(network: Any, name: str, inputs: dict[str, Any]) -> AnyArray:
    """One output of a network for some inputs. Raises Invalid where the network cannot read them."""
    try:
        return np.asarray(network.run([name], inputs)[0])
    except Exception as error:  # see `session`
        raise Invalid(f"the encoder cannot read its input ({str(error)[:160]}): see max_tokens or size") from None


def save_state(state: EncoderState, path: Path) -> None:
    """Write the state as JSON; the network stays where it is."""
    path.write_text(json.dumps(asdict(state)))


def load_state(path: Path) -> EncoderState:
    """Read what `save_state` wrote."""
    return EncoderState(**json.loads(path.read_text()))


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_settings(model: str) -> dict[str, Any]:
    try:
        settings = json.loads((Path(model) / "encoder.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise Invalid("featurizer.model names no folder with an encoder.json") from None
    if not isinstance(settings, dict):
        raise Invalid("the encoder.json is not an object")
    return settings


def _hub_settings(folder: Path) -> dict[str, Any]:
    try:
        given = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    size = given.get("crop_size") or given.get("size") or 224
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge") or 224
    return {"size": size, "mean": given.get("image_mean"), "deviation": given.get("image_std")}
