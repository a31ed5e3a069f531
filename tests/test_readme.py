"""Every figure of the README's tables is that of a committed result."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

import resources

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def rows(after: str) -> list[list[str]]:
    """Return the cells of the table that follows a text, without its head."""
    lines = README[README.index(after) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| ---"))
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def result(name: str) -> Any:
    return json.loads(resources.path("results", f"{name}.json").read_text(encoding="utf-8"))


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)]


def test_accuracy() -> None:
    runs = result("accuracy")["accuracy"]["runs"]
    table = rows("### Accuracy on real scenes")
    assert len(table) == len({(r["scene"], r["protocol"], r["model"]) for r in runs})
    for scene, protocol, model, overall, average, kappa, *_ in table:
        mine = [
            r
            for r in runs
            if (r["scene"], r["protocol"], f"`{r['model']}`") == (scene, protocol, model)
        ]
        assert len(mine) >= 3
        for cell, key in ((overall, "overall_accuracy"), (average, "average_accuracy")):
            values = [100 * r[key] for r in mine]
            assert numbers(cell) == pytest.approx([mean(values), stdev(values)], abs=0.051)
        assert float(kappa) == pytest.approx(mean(r["kappa"] for r in mine), abs=5.1e-4)


def test_networks_beside_the_rest() -> None:
    every = result("hsi")["runs"]
    runs = [r for r in every if not r["set"]]
    names = {
        "indian_pines_window": "Indian Pines window",
        "enmap_potsdam": "EnMAP Potsdam",
        "pavia_university_semi": "Pavia, semi-synthetic",
    }
    table = rows("### Networks beside the rest")
    assert len(table) == len({(r["scene"], r["protocol"], r["model"]) for r in runs})
    for scene, protocol, model, seeds, overall, average, kappa, *_ in table:
        mine = [
            r
            for r in runs
            if (names[r["scene"]], r["protocol"], f"`{r['model']}`") == (scene, protocol, model)
        ]
        assert len(mine) == int(seeds)
        for cell, key in ((overall, "overall_accuracy"), (average, "average_accuracy")):
            values = [100 * r[key] for r in mine]
            wanted = [mean(values), *([stdev(values)] if len(values) > 1 else [])]
            assert numbers(cell) == pytest.approx(wanted, abs=0.051)
        assert float(kappa) == pytest.approx(mean(r["kappa"] for r in mine), abs=5.1e-4)
    for name, *cells in rows("Variants of `css_mamba`"):
        for cell, alone in zip(cells, (False, True), strict=True):
            if cell == "not run":
                continue
            wanted = (
                {}
                if name.startswith("ours") and not alone
                else {"variant": name.split()[0].rstrip(",")}
            )
            wanted |= {"components": 0} if alone else {}
            wanted |= {"kept": 0.5} if "kept=0.5" in name else {}
            for part, protocol in zip(cell.split(" / "), ("P30", "HALVES"), strict=True):
                values = [
                    100 * r["overall_accuracy"]
                    for r in every
                    if (r["scene"], r["model"]) == ("indian_pines_window", "css_mamba")
                    and (r["protocol"], r["set"]) == (protocol, wanted)
                ]
                assert numbers(part) == pytest.approx([mean(values), stdev(values)], abs=0.051)


def test_matrices() -> None:
    table = {row["run"]: row for row in result("bench_mhc")["table"]}
    found = rows("### Do the matrices of `es_mhc` matter?")
    assert len(found) == len(table)
    for streams, gain, front, overall, half, moran, left, checks in found:
        name = f"n={streams}, g={gain}" + (", with the spectral front" if front == "with" else "")
        row = table[name]
        assert row["seeds"] == 5
        for cell, key, times, digits in (
            (overall, "overall_accuracy", 100, 0.051),
            (half, "half_step", 1, 0.051),
            (moran, "morans_i_at_the_end", 1, 0.0051),
            (left, "retention_at_the_end", 100, 0.0051),
        ):
            wanted = [times * row[key]["mean"], times * row[key]["sd"]]
            assert numbers(cell) == pytest.approx(wanted, abs=digits)
        for cell, what in zip(checks.split(" · "), ("mix", "order"), strict=True):
            delta, seeds = cell.split(" (")
            check = row["checks"][what]
            assert float(delta) == pytest.approx(100 * check["delta"]["mean"], abs=0.0051)
            assert int(seeds.rstrip(")")) == check["seeds_beyond_chance"]
    assert (
        max(abs(c["delta"]["mean"]) for r in table.values() for c in r["checks"].values()) < 0.003
    )


def test_classifiers_of_images() -> None:
    found = result("finetune")
    cost = {row["model"]: row for row in found["costs"]}
    table = rows("### Classifiers of images")
    assert len(table) == len(found["table"])
    for split, model, start, epochs, accuracy, f1, params, gflops, ms in table:
        mine = [
            r for r in found["runs"] if (r["protocol"].lower(), f"`{r['model']}`") == (split, model)
        ]
        assert (mine[0]["start"] == "random") == (start == "random")
        done = [r["epochs"] for r in mine]
        assert {int(n) for n in numbers(epochs)} == {min(done), max(done)}
        for cell, key in ((accuracy, "accuracy"), (f1, "macro_f1")):
            values = [100 * r[key] for r in mine]
            wanted = [mean(values), *([stdev(values)] if len(values) > 1 else [])]
            assert numbers(cell) == pytest.approx(wanted, abs=0.051)
        about = cost[mine[0]["model"]]
        assert float(params) == pytest.approx(about["parameters"] / 1e6, abs=0.051)
        assert float(gflops) == pytest.approx(about["flops"] / 1e9, abs=0.0051)
        assert float(ms) == pytest.approx(about["latency_ms"], abs=0.51)


def test_opening() -> None:
    found = result("bench_open")["open"]
    names = ("plain", "clearband", "spy", "clearband_painted", "napari_painted")
    for order, *cells in rows("First picture of a 5 GB ENVI file"):
        about = found[order.lower()]
        assert about["equal"]
        for name, cell in zip(names, cells, strict=False):
            medians = [about[state][name]["seconds"]["median"] for state in ("cold", "warm")]
            assert numbers(cell) == pytest.approx(medians, abs=0.0051)


def test_hovering() -> None:
    found = result("bench_hover")["hover"]
    assert found["bsq_copy"]["equal"]
    table = rows("From the mouse's move")
    assert len(table) == 7
    for name, ours, theirs in table:
        words = name.lower().replace(",", "")
        key = words.split()[0] + ("_copy" if "copy" in words else "") + f"_{words.split()[-1]}"
        for cell, who in ((ours, "clearband_ms"), (theirs, "pyqtgraph_ms")):
            series = found[key][who]
            assert numbers(cell) == pytest.approx([series["median"], series["p95"]], abs=0.051)


def test_each_result_names_its_command() -> None:
    for path in resources.path("results", "accuracy.json").parent.glob("*.json"):
        command = json.loads(path.read_text(encoding="utf-8"))["command"]
        assert command.startswith(("clearband bench ", "clearband explain ", "clearband study "))


def test_active_fire() -> None:
    found = result("fire")
    known = [*found["real"]["rows"], *found["simulated"]["rows"]]
    table = rows("### Active fire")
    assert len(table) > 20
    for _, split, method, *cells in table:
        mine = [
            r
            for r in known
            if r["method"] == method
            and "missing" not in r
            and r.get("split", "lines unseen") == split
            and r.get("variant", "all") == "all"
        ]
        trained = "segmenter" in method
        assert [r.get("seed") for r in mine] == ([0, 1, 2] if trained else [None])
        keys = ("precision", "recall", "fire_iou", "mean_iou")
        for cell, key in zip(cells, keys, strict=True):
            values = [100 * r[key] for r in mine]
            wanted = [mean(values), *([stdev(values)] if trained else [])]
            assert numbers(cell) == pytest.approx(wanted, abs=0.051)


def test_maps_of_lung_networks() -> None:
    found = result("study")
    overall = {r["model"]: r for r in found["models"] if r["class"] == "all"}
    table = rows("### Maps of lung networks")
    assert len(table) == len(overall)
    for name, seed, epochs, accuracy, f1, _, *cells in table:
        model = f"{name.strip('`')}_{seed}"
        mine = overall[model]
        assert int(epochs) == found["epochs"][model]
        assert float(accuracy) == pytest.approx(100 * mine["accuracy"], abs=0.051)
        assert float(f1) == pytest.approx(100 * mine["f1"], abs=0.051)
        keys = ("drop_paper", "drop_position", "deletion_auc", "insertion_auc", "faithfulness")
        for cell, key in zip(cells, keys, strict=True):
            assert float(cell) == pytest.approx(mine[key], abs=5.1e-3)


def test_concepts_on_real_sets() -> None:
    runs = result("concepts")["runs"]
    both = rows("### Concepts on real sets")
    table = [cells for cells in both if not cells[0].startswith("not comparable")]
    assert len(table) == len({r["set"] for r in runs})
    paper = result("concepts")["paper"]
    assert "Not comparable" in paper
    told = [n for cells in both if cells not in table for n in cells[1:] if n != "–"]
    assert told == ["78.9", "80.7", "87.38", "86.97"]
    assert all(n in paper for n in told)
    columns = (
        (2, "", "fvu", 1, 0.0051), (3, "", "l0", 1, 0.051), (4, "", "dead", 100, 0.051),
        (6, "probe", "concepts", 100, 0.051), (7, "probe", "opaque", 100, 0.051),
        (8, "probe", "random", 100, 0.051), (9, "bottleneck", "accuracy", 100, 0.051),
        (10, "bottleneck", "random_accuracy", 100, 0.051), (11, "miou", "concepts", 100, 0.051),
        (12, "miou", "dense", 100, 0.051),
    )  # fmt: skip
    for cells in table:
        mine = [r for r in runs if r["title"] == cells[0]]
        assert int(cells[1]) == len(mine) > 0
        for place, part, key, times, off in columns:
            if part and part not in mine[0]:
                assert cells[place] == "–"
                continue
            values = [times * (r[part][key] if part else r[key]) for r in mine]
            wanted = [mean(values)] + ([stdev(values)] if len(values) > 1 else [])
            assert numbers(cells[place]) == pytest.approx(wanted, abs=off)
        match = [mean(r[key] for r in mine) for key in ("stability", "stability_chance")]
        assert numbers(cells[5]) == pytest.approx(match, abs=0.0051)


def test_concepts_through_the_real_backbone() -> None:
    made = result("concept_backbone")
    assert made["weights"] == "random"
    stages = {s["stage"]: s["cpu_seconds"] for s in made["stages"]}
    learning = next(s for name, s in stages.items() if "steps of 16384" in name)
    told = README[README.index("The published sizes run through") :].split("\n\n")[0]
    peak = max(s["peak_mb"] for s in made["stages"]) / 1024
    sizes = made["sizes"]
    assert numbers(told[told.index("512 features") :].replace(",", "")) == pytest.approx([
        sizes["features"], sizes["concepts"], sizes["active"], 16384, made["patches"],
        made["images"], stages["features of the images"], learning, round(peak, 1),
    ])  # fmt: skip


def test_speed_of_concepts() -> None:
    found = result("bench_concepts")["concepts"]
    codes, training = found["codes"], found["training"]
    lines = README.splitlines()
    line = next(n for n in lines if n.startswith("| concepts of a 4,000 × 4,000"))
    assert numbers(line.split("|")[2]) == [
        codes["click_ms"]["median"], codes["first_click_ms"], codes["layer_ms"]["median"],
        codes["taken_away_ms"]["median"], codes["codes_mb"],
    ]  # fmt: skip
    line = next(n for n in lines if n.startswith("| training them beside its bare"))
    told = [int(n) for n in re.findall(r"[\d]+", line.split("|")[2].replace(",", ""))]
    assert told == [training["tokens_per_s"], training["floor_tokens_per_s"]]


def test_on_a_gpu() -> None:
    found = result("bench_gpu")["gpu"]
    table = rows("On a CUDA GPU")
    tasks = ("statistics", "pca", "rx", "sam", "unmixing")
    assert len(table) == len(tasks)
    for task, (_, *cells) in zip(tasks, table, strict=True):
        one = found["on_disk"][task]
        assert [float(c) for c in cells[:2]] == pytest.approx(
            [one["gpu_s"], one["processor_s"]], abs=0.0051
        )
        assert [float(c) for c in cells[2:]] == pytest.approx(
            [one["gpu_times_faster_than_processor"], one["gpu_times_a_plain_read"]], abs=0.051
        )
    text = README.split("Reading bounds them all.")[1].split("\n## ")[0]
    said = numbers(text.replace(",", ""))
    disk = [found["on_disk"][task] for task in tasks]
    memory = [found["in_memory"][task]["gpu_times_faster_than_processor"] for task in tasks]
    assert said[0] == round(max(one["gpu_rss_mb"] for one in disk))
    assert said[1] == round(max(one["gpu_memory_mb"] for one in disk))
    assert (min(memory), max(memory)) == pytest.approx((0.27, 1.7), abs=0.051)
    for value in (
        found["concept_training"]["tokens_per_s"],
        round(found["concept_training"]["to_floor"]),
        round(1e3 * found["fire"]["end_to_end_every_tile_segmented_s"]["median"], 1),
        round(1e3 * found["fire"]["networks_alone_s"]["median"], 1),
    ):
        assert value in said


def test_unmixing_beside_published_answers() -> None:
    found = result("known_answers")["samson"]
    table = rows("### Unmixing beside published answers")
    methods = dict(zip(("vca", "n_findr", "ppi"), table[:3], strict=True))
    for method, (_, angle, degrees, each, worst, rmse, parts) in methods.items():
        row = found["found"][method]
        assert row["seeds"] == 30
        for cell, key, digits in (
            (angle, "angle_rad", 5.1e-4), (degrees, "angle_deg", 5.1e-3), (rmse, "rmse", 5.1e-4),
        ):  # fmt: skip
            wanted = [row[key]["mean"], row[key]["sd"]]
            assert numbers(cell) == pytest.approx(wanted, abs=digits)
        assert numbers(each) == pytest.approx(row["angle_rad"]["each"], abs=5.1e-4)
        assert numbers(worst) == pytest.approx([row["angle_rad"]["worst"]], abs=5.1e-4)
        assert numbers(parts) == pytest.approx(row["rmse"]["each"], abs=5.1e-4)
    known = found["rmse_with_known_endmembers"].values()
    for (*_, rmse, parts), row in zip(table[3:], known, strict=True):
        assert numbers(rmse) == pytest.approx([row["mean"]], abs=5.1e-4)
        assert numbers(parts) == pytest.approx(row["each"], abs=5.1e-4)
    number = found["number"]
    assert f"HySime counts {number['hysime']} materials" in README
    assert f"HFC {number['hfc']} (8 by" in README
