"""``clearband concepts IMAGE`` and ``clearband concepts train FOLDER``: what a network sees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.options import (
    AsJson,
    Device,
    Fetch,
    Gap,
    GroupBlock,
    GroupPattern,
    Out,
    Split,
    Untrained,
)
from app.cli.root import app
from backends.concepts.changes import changes_from
from backends.errors import WrongUse
from backends.jobs import Job, Progress


@app.command("concepts")
def concepts_command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE | train FOLDER | segment FOLDER", help="What to look at."),
    ],
    out: Out = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Concepts that were trained (file or folder). With train: the encoder, a "
            "network by name or file, open_clip:NAME, transformers:NAME, or spectra.",
        ),
    ] = "",
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="The encoder's weights: a file or a tag of open_clip."),
    ] = None,
    at: Annotated[str, typer.Option("--at", help="ROW,COL: the concepts at this pixel.")] = "",
    top: Annotated[int, typer.Option("--top", help="The strongest concepts of the image.")] = 12,
    without: Annotated[
        list[int] | None,
        typer.Option("--without", help="A concept's number: the decision without it."),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", help="NUMBER=FACTOR: the decision with it so much stronger."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--set", help="NUMBER=STRENGTH: the decision with it set to that."),
    ] = None,
    why: Annotated[
        str, typer.Option("--why", help="The class to explain; default the likeliest.")
    ] = "",
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="A label file of the image: it teaches to decide; --at. "
            "segment: a folder of masks named as the images.",
        ),
    ] = None,
    bottleneck: Annotated[
        Path | None, typer.Option("--bottleneck", help="A bottleneck that decides on the image.")
    ] = None,
    layer: Annotated[str, typer.Option("--layer", help="train: of the network.")] = "",
    dense: Annotated[
        bool, typer.Option("--dense", help="train: a CLIP transformer's patches, as MaskCLIP.")
    ] = False,
    pooling: Annotated[
        Path | None,
        typer.Option("--pooling", help="train: CLIP-DINOiser's file, to average alike patches."),
    ] = None,
    head: Annotated[
        Path | None, typer.Option("--head", help="train: dino.txt's head, on a DINOv2 of timm.")
    ] = None,
    tile: Annotated[int, typer.Option("--tile", help="train: side of a look; 0 its own.")] = 0,
    count: Annotated[
        int, typer.Option("--concepts", help="train: how many; 0: four times the features.")
    ] = 0,
    active: Annotated[int, typer.Option("--active", help="train: concepts a patch.")] = 8,
    groups: Annotated[
        str,
        typer.Option(
            "--groups", help="train: shares of the groups, coarse first, or: small, published."
        ),
    ] = "small",
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary", help="train: take this published one (CFM, Insight), train none."
        ),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="train.")] = 2000,
    batch: Annotated[int, typer.Option("--batch", help="train: patches a step.")] = 2048,
    rate: Annotated[float, typer.Option("--rate", help="train: learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option("--seed", help="train.")] = 0,
    library: Annotated[
        Path | None, typer.Option("--library", help="train on spectra: to name concepts by.")
    ] = None,
    words_file: Annotated[
        Path | None, typer.Option("--words", help="Names, one a line; with --tower.")
    ] = None,
    tower: Annotated[
        str,
        typer.Option(
            "--tower", help="The words' side: NAME:WEIGHTS, transformers:NAME, dinotxt:FILE."
        ),
    ] = "",
    foreground: Annotated[
        bool, typer.Option("--foreground", help="segment: masks above 0 are one class, 0 another.")
    ] = False,
    split: Split = "70,15,15",
    group_pattern: GroupPattern = "",
    group_block: GroupBlock = 0,
    gap: Gap = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="train: go on with the one stopped in --out.")
    ] = False,
    fetch: Fetch = False,
    untrained: Untrained = False,
    device: Device = "auto",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value, how to open the image.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which concepts a network sees in an image, where, and what they add to its decision.

    Writes JSON, the layers (GeoTIFF and NPY) and the graph of the concepts (GraphML).
    'concepts train FOLDER' finds the concepts first: in images (one folder a class where there
    are classes), or in one scene. 'concepts segment FOLDER --labels DIR' tells classes apart by
    them, pixel by pixel, led by some of the masks or by words, and measures it on the others.
    """
    if out is None:
        raise WrongUse("Give a folder for the results: --out DIR.")
    if words[0] == "train":
        if len(words) != 2:
            raise WrongUse("Give one folder of images: concepts train FOLDER --out DIR.")
        _train(
            Path(words[1]), out, as_json, model=model, weights=weights, layer=layer, dense=dense,
            pooling=pooling, head=head, tile=tile, groups=groups,
            dictionary=dictionary, concepts=count, active=active, steps=steps, batch=batch,
            rate=rate, seed=seed, library=library, words=words_file, tower=tower, split=split,
            group_pattern=group_pattern, group_block=group_block, gap=gap, resume=resume,
            fetch=fetch, untrained=untrained, option=option, device=device,
        )  # fmt: skip
        return
    if words[0] == "segment" and len(words) == 2 and model:
        from app.cli.concepts_segment import segment

        given = {
            "model": model, "weights": weights, "labels": labels, "foreground": foreground,
            "words": words_file, "tower": tower, "seed": seed, "device": device,
        }  # fmt: skip
        command = command_line("concepts segment", words[1], out, given)
        segment(Path(words[1]), out, as_json, command, **given)
        return
    if len(words) != 1 or not model:
        raise WrongUse(
            "Give one image and the concepts to look for: IMAGE --model CONCEPTS --out DIR.",
            way_out="'clearband concepts train FOLDER' makes such a file.",
        )
    _describe(
        Path(words[0]), out, as_json, model=model, weights=weights, at=at, top=top,
        without=without, scale=scale, set=to, why=why, labels=labels, bottleneck=bottleneck,
        option=option, device=device,
    )  # fmt: skip


def _describe(source: Path, out: Path, as_json: bool, **given: Any) -> None:
    place = _place(given["at"])
    changes = changes_from(given["without"] or (), given["scale"] or (), given["set"] or ())
    command = command_line("concepts", str(source), out, given)

    def run(progress: Progress) -> dict[str, Any]:
        import torch

        from backends import devices
        from backends.concepts.autoencoder_files import load_dictionary
        from backends.concepts.decided import decided
        from backends.concepts.describing import describe
        from backends.concepts.desk import ConceptReading
        from backends.concepts.files import write_concepts
        from backends.concepts.opening import open_encoder
        from backends.io import open_scene

        torch.set_num_threads(devices.model_threads())
        dictionary = load_dictionary(given["model"])
        encoder = open_encoder(
            dictionary.encoder, given["weights"], device=devices.choose(given["device"]).id,
            progress=progress,
        )  # fmt: skip
        dictionary.check(encoder.digest, encoder.title)
        with open_scene(source, pairs(given["option"], "--option")) as scene:
            rows, cols = scene.shape[:2]
            if place is not None and not (0 <= place[0] < rows and 0 <= place[1] < cols):
                raise WrongUse(
                    f"Row {place[0]}, column {place[1]} lies outside {source.name}.",
                    way_out=f"It has {rows} rows and {cols} columns, counted from 0.",
                )
            found = describe(scene, encoder, dictionary, command=command, progress=progress)
            told = decided(
                ConceptReading(found, bool(scene.info.is_rgb)), scene, encoder, place=place,
                target=given["why"], labels=given["labels"], bottleneck=given["bottleneck"],
                changes=changes, progress=progress,
            )  # fmt: skip
            files, about = write_concepts(
                found, scene, out, source.stem, at=place, most=given["top"], decision=told
            )
        return {**about, "files": [str(p) for p in files]}

    values = run_job(Job(f"Concepts of {source.name}", run, command=command), quiet=as_json)
    emit(values, as_json=as_json, text=_concepts_text(values))


def _train(source: Path, out: Path, as_json: bool, **given: Any) -> None:
    command = command_line("concepts train", str(source), out, given)

    def run(progress: Progress) -> dict[str, Any]:
        import torch

        from backends import devices
        from backends.concepts.autoencoder_files import CONCEPTS_FILE
        from backends.concepts.autoencoder_training import Settings
        from backends.concepts.bottleneck_folder import read_words
        from backends.concepts.learning_concepts import (
            LearnSettings,
            Words,
            encode_folder,
            learn_concepts,
        )
        from backends.concepts.opening import make_encoder
        from backends.concepts.published import open_published
        from backends.concepts.towers import open_tower
        from backends.learning.grouping import GroupRule

        torch.set_num_threads(devices.model_threads())
        # Words for anything but colour pictures are guesses.
        colour = [False]
        chosen = devices.choose(given["device"]).id
        if not given["model"] and given["weights"] is None:
            raise WrongUse(
                "Name the encoder: --model NAME or --weights FILE.",
                way_out="'clearband explain --list' lists networks; spectra takes the bands.",
            )
        how = Settings(given["steps"], given["batch"], given["rate"], seed=given["seed"])
        settings = LearnSettings(
            given["concepts"], given["active"], how, given["seed"], _fractions(given["groups"])
        )

        def make(scene: Any) -> Any:
            colour[0] = bool(scene.info.is_rgb)
            return make_encoder(
                given["model"], given["weights"], layer=given["layer"], dense=given["dense"],
                pooling=given["pooling"], head=given["head"], tile=given["tile"], scene=scene,
                fetch=given["fetch"], untrained=given["untrained"], device=chosen,
            )  # fmt: skip

        rule = GroupRule(given["group_pattern"], given["group_block"], given["gap"])
        images, encoder = encode_folder(
            source, make, rule=rule,
            shares=shares_of(given["split"]), gap=given["gap"], seed=given["seed"],
            options=pairs(given["option"], "--option"), progress=progress,
        )  # fmt: skip
        named = None
        if given["words"] is not None or given["tower"]:
            if given["words"] is None or not given["tower"]:
                raise WrongUse("Naming by words needs both: --words FILE --tower NAME:WEIGHTS.")
            tower = open_tower(given["tower"], fetch=given["fetch"], progress=progress)
            named = Words(tuple(read_words(given["words"])), tower, colour[0])
        taken = None
        if given["dictionary"] is not None:
            about = {**encoder.about, "digest": encoder.digest, "title": encoder.title}
            taken = open_published(given["dictionary"], about)
        made = learn_concepts(
            images, encoder, out, settings, library=given["library"], words=named, taken=taken,
            resume=given["resume"],
            device=chosen, command=command, progress=progress,
        )  # fmt: skip
        assert made.quality is not None
        return {
            "encoder": encoder.title, "concepts": made.sizes.concepts,
            "groups": list(made.sizes.groups), "quality": made.quality.to_dict(),
            "quality_sentence": made.quality.sentence, "trained_on": made.card["trained_on"],
            "relations": made.card["relations"], "measured_on": made.card["measured_on"],
            "probe": made.card.get("probe"),
            "skipped": made.card["skipped"], "written": str(out / CONCEPTS_FILE),
        }  # fmt: skip

    values = run_job(Job(f"Find concepts in {source.name}", run, command=command), quiet=as_json)
    emit(values, as_json=as_json, text=_training_text(values))


def _concepts_text(values: dict[str, Any]) -> str:
    rows: dict[str, Any] = {"Encoder": values["encoder"], "Quality": values["quality_sentence"]}
    for one in values["concepts"]:
        lineage = " > ".join([*one["lineage"], one["name"]])
        rows[f"{one['level']} {one['concept']}"] = f"{one['activation']:.3g}  {lineage}"
    if "decision" in values:
        rows |= _decision_rows(values["decision"])
    for number, note in enumerate(values["notes"], 1):
        rows[f"Note {number}"] = note
    rows["Written"] = f"{len(values['files'])} files to {Path(values['files'][0]).parent}"
    return table(rows)


def _decision_rows(told: dict[str, Any]) -> dict[str, Any]:
    rows: dict[str, Any] = {"Decided by": told["by"]}
    before, after = told["before"], told.get("after")
    for change in told["changes"]:
        nothing = "" if change["did"] else "; it was not on here, so nothing changes"
        rows[f"Change {change['concept']}"] = f"{change['name']}: {change['change']}{nothing}"
    for number in sorted(range(len(told["classes"])), key=lambda n: -before["logits"][n])[:8]:
        sides = [side for side in (before, after) if side is not None]
        rows[f"Class {told['classes'][number]}"] = " -> ".join(
            f"{100 * side['probabilities'][number]:.1f} % (logit {side['logits'][number]:.3f})"
            for side in sides
        )
    last = after or before
    rows["Why"] = f"{last['target_class']}: parts that sum to its logit"
    for part in last["parts"]:
        rows[f"  {part['name']}"] = f"{part['amount']:+.3f}"
    return rows


def _training_text(values: dict[str, Any]) -> str:
    quality = values["quality"]
    rows: dict[str, Any] = {
        "Encoder": values["encoder"],
        "Trained on": values["trained_on"],
        "Concepts": f"{values['concepts']} in groups of {', '.join(map(str, values['groups']))}",
        "Quality": f"{values['quality_sentence']} (on {values['measured_on']}); "
        f"{100 * quality['dead']:.0f} % never on",
        "Relations": values["relations"],
    }
    probe = values["probe"]
    if probe and probe["concepts"] is None:
        rows["Accuracy"] = "not measured: there were too few images to keep some out"
    elif probe:
        rows["Accuracy"] = f"{100 * probe['concepts']:.1f} % of {probe['test_images']} test images"
        rows["Opaque probe"] = f"{100 * probe['opaque']:.1f} % on the same features"
        rows["Random"] = f"{100 * probe['random']:.1f} % with concepts drawn at random"
    for number, (name, why) in enumerate(values["skipped"][:20], 1):
        rows[f"Left out {number}"] = f"{name}: {why}"
    rows["Written"] = values["written"]
    return table(rows)


def _fractions(text: str) -> tuple[float, ...]:
    from backends.concepts.autoencoder import PUBLISHED_FRACTIONS, SMALL_FRACTIONS

    known = {"small": SMALL_FRACTIONS, "published": PUBLISHED_FRACTIONS}
    if text in known:
        return known[text]
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise WrongUse(
            f"{text} are no groups.", way_out="Use small, published, or shares as 0.1,0.3,0.6."
        ) from error


def _place(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    parts = text.replace(" ", "").split(",")
    if len(parts) != 2 or not all(p.isdigit() for p in parts):
        raise WrongUse(f"--at is ROW,COL, not {text}.")
    return int(parts[0]), int(parts[1])


def shares_of(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != 3:
        raise WrongUse(f"{text} is no split.", way_out="Give three shares, as 70,15,15.")
    return found


def command_line(name: str, source: str, out: Path, given: dict[str, Any]) -> tuple[str, ...]:
    """Return the command line that does the same again."""
    words = [*name.split(), source]
    for key, value in given.items():
        flag = f"--{key.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, list):
            for item in value:
                words += [flag, str(item)]
        elif value not in (None, False, ""):
            words += [flag, str(value)]
    return (*words, "--out", str(out))
