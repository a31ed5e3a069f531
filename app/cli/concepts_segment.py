"""``clearband concepts segment FOLDER``: classes by concepts, measured against masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.cli.console import emit, run_job, table
from backends.errors import WrongUse
from backends.jobs import Job, Progress


def segment(source: Path, out: Path, as_json: bool, command: tuple[str, ...], **given: Any) -> None:
    """Run it and say what was found."""
    if given["labels"] is None:
        raise WrongUse("Give the masks, a folder with one file an image: --labels DIR.")
    if bool(given["words"]) != bool(given["tower"]):
        raise WrongUse("Classes by words need both: --words FILE --tower NAME:WEIGHTS.")

    def run(progress: Progress) -> dict[str, Any]:
        return _segmented(source, out, command, progress, **given)

    job = Job(f"Segment {source.name} by concepts", run, command=command)
    values = run_job(job, quiet=as_json)
    rows = {"Encoder": values["encoder"], "Classes": "; ".join(values["classes"]),
            "Measured on": f"{values['test_images']} images, every pixel"}  # fmt: skip
    for name, title in (("concepts", "By concepts"), ("dense", "By features")):
        found = values["segmentation"][name]
        each = ", ".join(f"{k} {100 * v:.1f}" for k, v in found["iou"].items())
        rows[title] = f"mean IoU {100 * found['miou']:.1f} % ({each})"
    if values["also_learnt_from"]:
        rows["Note"] = (
            f"the concepts, not their classes, were also found in {values['also_learnt_from']} "
            "of these images"
        )
    rows["Quality"] = values["quality_sentence"]
    for number, (name, why) in enumerate(values["skipped"][:20], 1):
        rows[f"Left out {number}"] = f"{name}: {why}"
    rows["Written"] = f"{len(values['files'])} files to {out}"
    emit(values, as_json=as_json, text=table(rows))


def _segmented(
    source: Path, out: Path, command: tuple[str, ...], progress: Progress, **given: Any
) -> dict[str, Any]:
    import numpy as np
    import torch

    from backends import devices
    from backends.concepts import segment_folder as by_folder
    from backends.concepts.autoencoder import measure
    from backends.concepts.autoencoder_files import load_dictionary
    from backends.concepts.bottleneck_folder import read_words
    from backends.concepts.opening import open_encoder
    from backends.concepts.towers import open_tower
    from backends.export import export
    from backends.io import open_scene
    from backends.io.writers.atomic import write_text
    from backends.overlays import ClassMap, Provenance

    torch.set_num_threads(devices.model_threads())
    made = load_dictionary(given["model"])
    encoder = open_encoder(
        made.encoder, given["weights"], device=devices.choose(given["device"]).id,
        progress=progress,
    )  # fmt: skip
    made.check(encoder.digest, encoder.title)
    images = by_folder.read_masked(
        source, given["labels"], encoder, foreground=given["foreground"], progress=progress
    )
    training, test = by_folder.split(len(images.paths), given["seed"])
    if given["tower"]:
        words = read_words(given["words"])
        if len(words) != len(images.classes):
            raise WrongUse(
                f"There are {len(words)} words for {len(images.classes)} classes.",
                way_out="Give one word a class, in the order of the masks' values.",
            )
        tower = open_tower(given["tower"], progress=progress)
        directions = by_folder.directions_from_words(words, tower, made.sizes.features)
        test = list(range(len(images.paths)))  # nothing was learnt from the masks
    else:
        directions = by_folder.directions_from_labels(images, training)
    told, answers = by_folder.measure_segmentation(made, directions, images, test)
    seen = np.concatenate([np.asarray(images.patches[n], np.float32) for n in test])
    quality = measure(made.network, made.scaling.apply(seen))
    names = {n + 1: name for n, name in enumerate(images.classes)}
    files = []
    out.mkdir(parents=True, exist_ok=True)
    for number, answer in answers.items():
        path = images.paths[number]
        with open_scene(path) as scene:
            provenance = Provenance(
                "concepts", weights_digest=made.digest, scene_digest=scene.digest,
                scene_path=str(path), command=" ".join(command), notes=(quality.sentence,),
            )  # fmt: skip
            overlay = ClassMap("Classes by concepts", scene.id, provenance,
                               labels=(answer + 1).astype(np.uint8), class_names=names)  # fmt: skip
            files.append(export(overlay, out / f"{path.stem}_classes.tif", scene=scene))
        progress.check()
    learnt = {Path(name).resolve() for name in made.card.get("files", ())}
    known = sum(images.paths[n].resolve() in learnt for n in test)
    values = {
        "encoder": encoder.title, "also_learnt_from": known, "classes": list(images.classes),
        "led_by": "words" if given["tower"] else "labels", "images": len(images.paths),
        "test_images": len(test), "test": [images.paths[n].name for n in test],
        "segmentation": told, "quality": quality.to_dict(),
        "quality_sentence": quality.sentence, "skipped": [list(s) for s in images.skipped],
        "command": " ".join(command),
    }  # fmt: skip
    report = out / "segmentation.json"
    write_text(report, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    return {**values, "files": [str(p) for p in (*files, report)]}
