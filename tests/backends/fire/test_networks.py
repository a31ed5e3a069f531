"""The two networks: size, padding, and the weights of Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from backends.errors import BadInput, MissingCapability
from backends.fire.checkpoints import FireNetworks, open_networks, save_networks
from backends.fire.keras_weights import keras_arrays, load_keras
from backends.fire.networks import FireClassifier, FireSegmenter, SameConv, parameters


def test_they_have_the_papers_sizes() -> None:
    assert parameters(FireClassifier(12)) == 926
    assert parameters(FireSegmenter(12)) == 469_505


@pytest.mark.parametrize("bands", [1, 5, 12])
def test_shapes(bands: int) -> None:
    x = torch.rand(2, bands, 256, 256)
    with torch.inference_mode():
        assert FireClassifier(bands).eval()(x).shape == (2,)
        assert FireSegmenter(bands).eval()(x[:1, :, :64, :32]).shape == (1, 64, 32)


def test_padding_is_that_of_tensorflow() -> None:
    # An even side, stride 2, a kernel of 7: 2 pixels before, 3 behind.
    conv = SameConv(1, 1, 7, 2)
    torch.nn.init.ones_(conv.weight)
    torch.nn.init.zeros_(conv.bias)
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 0, 0] = 1
    with torch.inference_mode():
        assert conv(x)[0, 0].tolist()[0] == [1, 1, 0, 0]
        x = torch.zeros(1, 1, 8, 8)
        x[0, 0, 7, 7] = 1
        assert conv(x)[0, 0].tolist()[3] == [0, 0, 1, 1]


def write_keras(path: Path, network: Any, *, whole: bool = False) -> None:
    """Write weights as Keras does: groups a layer, names in attributes."""
    words = {
        "conv": ["kernel:0", "bias:0"], "rise": ["kernel:0", "bias:0"],
        "dense": ["kernel:0", "bias:0"],
        "norm": ["gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"],
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        names = []
        for number, (kind, arrays) in enumerate(keras_arrays(network)):
            layer = f"{kind}_{number}"
            group = root.create_group(layer)
            full = [f"{layer}/{word}" for word in words[kind]]
            group.attrs["weight_names"] = [n.encode() for n in full]
            for name, array in zip(full, arrays, strict=True):
                group.create_dataset(name, data=array)
            names += [layer.encode(), f"relu_{number}".encode()]
            root.create_group(f"relu_{number}").attrs["weight_names"] = np.array([], "S1")
        root.attrs["layer_names"] = names


@pytest.mark.parametrize("kind", [FireClassifier, FireSegmenter])
@pytest.mark.parametrize("whole", [False, True])
def test_keras_weights_come_back(tmp_path: Path, kind: Any, whole: bool) -> None:
    torch.manual_seed(0)
    one, other = kind(12), kind(12)
    for norm in one.norms:
        norm.running_mean.uniform_()
        norm.running_var.uniform_(0.5, 2)
    assert keras_arrays(one)[0][1][0].shape[2:] == (12, one.state_dict()[
        "convolutions.0.weight" if kind is FireClassifier else "down.0.first.weight"
    ].shape[0])  # fmt: skip
    write_keras(tmp_path / "w.h5", one, whole=whole)
    load_keras(other, tmp_path / "w.h5")
    x = torch.rand(1, 12, 64, 64)
    with torch.inference_mode():
        assert torch.equal(one.eval()(x), other.eval()(x))


def test_hostile_keras_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    network = FireClassifier(12)
    before = network.head.weight.detach().clone()
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(BadInput, match="no file of Keras weights"):
        load_keras(network, path)
    write_keras(path, FireClassifier(5))
    with pytest.raises(BadInput, match="does not hold the weights"):
        load_keras(network, path)
    write_keras(path, FireSegmenter(12))
    with pytest.raises(BadInput, match="layers with weights"):
        load_keras(network, path)
    write_keras(path, network)
    with h5py.File(path, "a") as file:
        name = file["dense_6"].attrs["weight_names"][0]
        del file["dense_6"][name]
        file["dense_6"][name] = h5py.ExternalLink("/etc/hostname", "/x")
    with pytest.raises(BadInput, match="no file of Keras weights"):
        load_keras(network, path)
    write_keras(path, network)
    with h5py.File(path, "a") as file:
        file["conv_0"]["conv_0/kernel:0"][:] = np.nan
    with pytest.raises(BadInput, match="no numbers"):
        load_keras(network, path)
    assert torch.equal(network.head.weight, before)


def test_networks_on_disk(tmp_path: Path) -> None:
    made = FireNetworks(FireClassifier(2), FireSegmenter(2), (11, 10), {"recipe": "paper"})
    digest = save_networks(made, tmp_path / "fire.safetensors")
    found = open_networks(tmp_path / "fire.safetensors")
    assert found.channels == (11, 10)
    assert found.facts == {"recipe": "paper"}
    assert found.digest == digest
    (tmp_path / "bad.safetensors").write_bytes(b"{}" * 50)
    with pytest.raises(BadInput, match="no fire networks"):
        open_networks(tmp_path / "bad.safetensors")
    with pytest.raises(BadInput, match="do not exist"):
        open_networks(tmp_path / "none.safetensors")


def test_the_published_pair(tmp_path: Path) -> None:
    write_keras(tmp_path / "c.h5", FireClassifier(12))
    write_keras(tmp_path / "s.h5", FireSegmenter(12))
    found = open_networks(tmp_path / "c.h5", keras_segmenter=tmp_path / "s.h5")
    assert found.channels == tuple(range(1, 13))
    with pytest.raises(MissingCapability, match="two Keras files"):
        open_networks(tmp_path / "c.h5")
