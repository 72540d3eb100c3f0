"""Encoders as ONNX files, made here: a table of word vectors, and the mean colour of an image."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.errors import Invalid
from app.featurizers import choose_featurizer, encoders, make_featurizer, options_of
from tests.clips import write

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
tokenizers = pytest.importorskip("tokenizers")
WORDS = ["[PAD]", "[UNK]", "cat", "dog", "stock"]
VECTORS = np.array([[9, 9, 9], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


def write_network(folder: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> None:
    graph = onnx.helper.make_graph(nodes, "toy", inputs, outputs, constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))


@pytest.fixture
def text_encoder(tmp_path: Path) -> Path:
    helper, kinds = onnx.helper, onnx.TensorProto
    inputs = [helper.make_tensor_value_info(name, kinds.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("last_hidden_state", kinds.FLOAT, ["n", "t", 3])]
    table = onnx.numpy_helper.from_array(VECTORS, "table")
    write_network(
        tmp_path, [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])], inputs, outputs, [table]
    )
    words = tokenizers.models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "encoder.json").write_text(json.dumps({"max_tokens": 8}))
    return tmp_path


@pytest.fixture
def image_encoder(tmp_path: Path) -> Path:
    helper, kinds = onnx.helper, onnx.TensorProto
    inputs = [helper.make_tensor_value_info("pixels", kinds.FLOAT, ["n", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("map", kinds.FLOAT, ["n", 3, 16, 16])]
    write_network(tmp_path, [helper.make_node("Identity", ["pixels"], ["map"])], inputs, outputs, [])
    settings = {"size": 16, "mean": [0, 0, 0], "deviation": [1, 1, 1]}
    (tmp_path / "encoder.json").write_text(json.dumps(settings))
    return tmp_path


def test_texts_are_the_mean_of_their_tokens_without_the_padding(text_encoder: Path) -> None:
    featurizer = make_featurizer("onnx-text", {"model": str(text_encoder)}, "text")
    state = featurizer.fit([])
    featurizer.save(state, text_encoder / "state")

    block = featurizer.transform(
        ["cat dog", "stock", "", None, "cat cat dog dog stock stock"], featurizer.load(text_encoder / "state")
    )

    half, third = 2**-0.5, 3**-0.5
    expected: list[list[float]] = [[half, half, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [third, third, third]]
    np.testing.assert_allclose(block.dense, expected, atol=1e-6)


def test_long_texts_are_cut_to_the_encoders_length(text_encoder: Path) -> None:
    featurizer = make_featurizer("onnx-text", {"model": str(text_encoder)})

    block = featurizer.transform(["cat " * 8 + "dog " * 5_000], featurizer.fit([]))

    np.testing.assert_allclose(block.dense, [[1, 0, 0]], atol=1e-6)


def test_without_a_setting_texts_are_cut_where_the_tokenizer_says(text_encoder: Path) -> None:
    (text_encoder / "encoder.json").write_text("{}")
    tokenizer = tokenizers.Tokenizer.from_file(str(text_encoder / "tokenizer.json"))
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=64)  # as published files have it: every text as long as the longest
    tokenizer.save(str(text_encoder / "tokenizer.json"))
    featurizer = make_featurizer("onnx-text", {"model": str(text_encoder)})

    block = featurizer.transform(["cat cat cat dog dog", "dog"], featurizer.fit([]))

    np.testing.assert_allclose(block.dense, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


@pytest.fixture
def three_outputs(text_encoder: Path) -> Path:
    """Ids as they came (n, t), the vector of the first token (n, 3), and all vectors (n, t, 3)."""
    helper, kinds = onnx.helper, onnx.TensorProto
    inputs = [helper.make_tensor_value_info(name, kinds.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")]
    shapes = {"ids": ["n", "t"], "first": ["n", 3], "all": ["n", "t", 3]}
    outputs = [helper.make_tensor_value_info(name, kinds.FLOAT, shape) for name, shape in shapes.items()]
    numbers = {"table": VECTORS, "place": np.array(0, dtype=np.int64)}
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in numbers.items()]
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids"], to=kinds.FLOAT),
        helper.make_node("Gather", ["table", "input_ids"], ["all"]),
        helper.make_node("Gather", ["all", "place"], ["first"], axis=1),
    ]
    write_network(text_encoder, nodes, inputs, outputs, constants)
    return text_encoder


def test_the_output_that_is_named_is_read_and_one_that_grows_with_the_text_is_refused(three_outputs: Path) -> None:
    featurizer = make_featurizer("onnx-text", {"model": str(three_outputs)})

    with pytest.raises(Invalid, match="grows with the text"):
        featurizer.fit([])
    for name, expected in (("first", [1, 0, 0]), ("all", [2**-0.5, 2**-0.5, 0])):
        (three_outputs / "encoder.json").write_text(json.dumps({"output": name}))
        block = featurizer.transform(["cat dog"], featurizer.fit([]))
        np.testing.assert_allclose(block.dense, [expected], atol=1e-6)
    (three_outputs / "encoder.json").write_text(json.dumps({"output": "last"}))
    with pytest.raises(Invalid, match="no output 'last': it has ids, first, all"):
        featurizer.fit([])


def test_images_are_the_mean_of_the_last_map(image_encoder: Path) -> None:
    red, blue = image_encoder / "red.png", image_encoder / "blue.png"
    Image.new("RGB", (40, 20), (255, 0, 0)).save(red)
    Image.new("RGB", (20, 40), (0, 0, 255)).save(blue)
    featurizer = make_featurizer("onnx-image", {"model": str(image_encoder)}, "image")

    block = featurizer.transform([red, image_encoder / "gone.png", blue], featurizer.fit([]))

    np.testing.assert_allclose(block.dense, [[1, 0, 0], [0, 0, 0], [0, 0, 1]], atol=1e-6)


def test_clips_are_what_is_seen_how_much_it_varies_and_how_it_ends(image_encoder: Path) -> None:
    pictures = np.zeros((20, 32, 48, 3), dtype=np.uint8)
    pictures[:10, ..., 0] = pictures[10:, ..., 2] = 255  # red, then blue
    clip = write(image_encoder / "clip.mp4", pictures)
    featurizer = make_featurizer("onnx-frames", {"model": str(image_encoder)}, "video")

    block = featurizer.transform([clip, None], featurizer.fit([]))

    red, _, blue = block.dense[0].reshape(3, 3).T
    assert red[0] == pytest.approx(blue[0], abs=0.02)  # the mean
    assert red[2] < -0.5 < 0.5 < blue[2]  # from the first third to the last
    assert not block.dense[1].any()
    with pytest.raises(Invalid, match="reads items of video"):
        make_featurizer("onnx-frames", {"model": str(image_encoder)}, "image")


def test_a_network_that_was_exchanged_is_noticed(text_encoder: Path) -> None:
    featurizer = make_featurizer("onnx-text", {"model": str(text_encoder)})
    state = featurizer.fit([])
    file = text_encoder / "model.onnx"
    file.write_bytes(file.read_bytes() + b"\x00")

    encoders.session.cache_clear()
    with pytest.raises(Invalid, match="has changed since"):
        featurizer.transform(["cat"], state)


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_a_broken_encoder_is_refused_with_its_file(text_encoder: Path, broken: str) -> None:
    (text_encoder / broken).write_bytes(b"not what it says")

    with pytest.raises(Invalid, match=r"cannot be (opened|read)|encoder\.json"):
        make_featurizer("onnx-text", {"model": str(text_encoder)}).fit([])


def test_a_folder_without_the_operators_file_is_not_opened(text_encoder: Path) -> None:
    (text_encoder / "encoder.json").unlink()

    with pytest.raises(Invalid, match=r"no folder with an encoder\.json"):
        make_featurizer("onnx-text", {"model": str(text_encoder)})


def test_auto_takes_the_operators_encoder_where_it_is_fast_enough_and_says_why(text_encoder: Path) -> None:
    given: dict[str, Any] = {"encoder": str(text_encoder), "sample": ["cat dog", None, "stock"] * 30}

    few, why = choose_featurizer("text", {"name": "auto"}, **given, rows=1_000)
    many, too_slow = choose_featurizer("text", {"name": "auto"}, **given, rows=10**12)
    given["encoder"] = str(text_encoder / "gone")
    none, broken = choose_featurizer("text", {"name": "auto"}, **given, rows=1_000)
    own, _ = choose_featurizer("text", {"name": "ngrams"}, **given, rows=1_000)

    assert (few.name, many.name, none.name, own.name) == ("onnx-text", "ngrams", "ngrams", "ngrams")
    assert re.search(r"it reads [\d,]+ texts a second here, so 1,000 take less than a minute\.", why)
    assert re.search(r"would take [\d,]+ hours for 1,000,000,000,000 texts", too_slow)
    assert "cannot be used: featurizer.model names no folder" in broken
    assert options_of("onnx-text", {"name": "auto"}, "folder") == {"model": "folder"}
    assert options_of("onnx-text", {"name": "onnx-text", "model": "other"}, "folder") == {"model": "other"}
