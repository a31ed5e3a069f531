"""What was published elsewhere is used as if trained here: only the download is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_clip import SMALL

from backends.concepts.autoencoder import PUBLISHED_FRACTIONS, Sizes
from backends.concepts.published import open_published
from backends.errors import BadInput

ENCODER = {"digest": "d", "title": "CLIP"}


def _published(
    path: Path, d: int, groups: tuple[int, ...], *, threshold: float = 0.25, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Write a file as the library dictionary_learning saves a nested dictionary."""
    count = sum(groups)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.nn.functional.normalize(torch.randn(count, d, generator=generator), dim=1)
    state = {
        "k": torch.tensor(12, dtype=torch.int32), "threshold": torch.tensor(threshold),
        "group_sizes": torch.tensor(groups), "W_enc": rows.t().contiguous(),
        "b_enc": 0.05 * torch.randn(count, generator=generator), "W_dec": rows,
        "b_dec": 0.1 * torch.randn(d, generator=generator),
    }  # fmt: skip
    torch.save(state, path)
    return state


def test_the_published_sizes_are_read_and_their_codes_are_the_formula(tmp_path: Path) -> None:
    groups = (65, 245, 491, 983, 1966, 4442)
    state = _published(tmp_path / "ae.pt", 512, groups)
    made = open_published(tmp_path / "ae.pt", ENCODER)
    assert made.sizes == Sizes(512, 8192, 12, made.sizes.fractions)
    assert made.sizes.groups == groups == Sizes(512, 8192, 12, PUBLISHED_FRACTIONS).groups
    assert made.sizes.level_of(309) == "coarse"
    assert made.sizes.level_of(310) == "medium"
    x = np.random.default_rng(0).normal(size=(9, 512)).astype(np.float32)
    raw = np.maximum(
        (x - state["b_dec"].numpy()) @ state["W_enc"].numpy() + state["b_enc"].numpy(), 0
    )
    wanted = np.where(raw > 0.25, raw, 0)
    codes = made.codes(x)
    np.testing.assert_allclose(codes.dense(), wanted, atol=1e-4)
    decoded = wanted @ state["W_dec"].numpy() + state["b_dec"].numpy()
    np.testing.assert_allclose(codes.decode(made.directions, made.offset), decoded, atol=1e-3)
    assert "elsewhere" in made.card["trained_on"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"W_dec": torch.zeros(3, 5)}, "do not fit each other"),
        ({"group_sizes": torch.tensor([1, 2])}, "do not add up"),
    ],
)
def test_a_layout_that_is_another_is_said(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    state = _published(tmp_path / "ae.pt", 8, (8, 24))
    torch.save({**state, **change}, tmp_path / "ae.pt")
    with pytest.raises(BadInput, match=said):
        open_published(tmp_path / "ae.pt", ENCODER)


def test_clip_densely_a_published_dictionary_and_words_by_command(
    clip: tuple[Any, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Encoder, dictionary, relations, names by the text tower, probes; then one image."""
    from PIL import Image

    from app.main import run

    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    for number, name in enumerate(("field", "water")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for image in range(6):
            values = rng.integers(0, 60, (32, 32, 3)) + 150 * number
            Image.fromarray(values.astype(np.uint8)).save(tmp_path / "set" / name / f"{image}.png")
    _published(tmp_path / "ae.pt", 16, (8, 24), threshold=0.1)
    (tmp_path / "words.txt").write_text("meadow\nlake\nroof\n")
    out = tmp_path / "made"
    words = ["concepts", "train", str(tmp_path / "set"), "--model", f"open_clip:{SMALL}",
             "--weights", str(clip[1]), "--dense", "--dictionary", str(tmp_path / "ae.pt"),
             "--words", str(tmp_path / "words.txt"), "--tower", f"{SMALL}:{clip[1]}",
             "--out", str(out), "--json"]  # fmt: skip
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["groups"] == [8, 24]
    assert told["trained_on"].startswith("elsewhere, as published (ae.pt); described on")
    assert told["probe"]["test_images"] >= 2
    image = tmp_path / "set" / "water" / "0.png"
    words = ["concepts", str(image), "--model", str(out), "--top", "4", "--json",
             "--out", str(tmp_path / "there")]  # fmt: skip
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert {c["name"] for c in told["concepts"]} <= {"meadow", "lake", "roof"}
    assert all(c["runners_up"] for c in told["concepts"])
    decision = told["decision"]["before"]
    total = sum(part["amount"] for part in decision["parts"])
    logit = decision["logits"][decision["target"]]
    assert total == pytest.approx(logit, abs=1e-4)


def test_towers_speak_in_the_space_of_the_patches(clip: tuple[Any, Path], tmp_path: Path) -> None:
    from backends.concepts.towers import open_tower
    from backends.errors import MissingCapability, WrongUse

    tower = open_tower(f"{SMALL}:{clip[1]}")
    found = tower.embed(["a roof", "water"])
    model = clip[0].create_model(SMALL, pretrained=str(clip[1])).eval()
    with torch.no_grad():
        wanted = model.encode_text(clip[0].get_tokenizer(SMALL)(["a roof", "water"]))
    wanted = torch.nn.functional.normalize(wanted, dim=1).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert open_tower(f"open_clip:{SMALL}:{clip[1]}").digest == tower.digest
    with pytest.raises(WrongUse, match="were not named"):
        open_tower(SMALL)
    pytest.importorskip("transformers")
    with pytest.raises(MissingCapability, match="is not here"):
        open_tower("transformers:nobody/nothing")


def test_a_tower_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from test_encoder_libraries import _small

    from backends.concepts.towers import open_tower

    model = _small("clip").eval()
    model.save_pretrained(tmp_path)
    words = ["[UNK]", "a", "roof", "water", "[PAD]", *(f"w{n}" for n in range(93)), "[END]"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokens = transformers.BertTokenizerFast(
        vocab=dict(zip(words, range(len(words)), strict=True)), unk_token="[UNK]",
        sep_token="[END]", cls_token="a", pad_token="[PAD]", mask_token="w0",
    )  # fmt: skip
    tokens.save_pretrained(tmp_path)
    tower = open_tower(f"transformers:{tmp_path}")
    found = tower.embed(["roof", "water"])
    assert found.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    given = tokens(["roof", "water"], padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = model.text_projection(model.text_model(**given).pooler_output)
    wanted = torch.nn.functional.normalize(wanted, dim=1).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4)
