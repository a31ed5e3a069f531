"""``clearband models``: the cards of every model."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.console import emit, table
from app.cli.root import app
from backends.registry import ModelCard, card, cards


@app.command("models")
def models(
    model_id: Annotated[str | None, typer.Argument(help="Show one card in full.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models and what they are, with the networks taught here, or show one card."""
    from backends.learning.trained_networks import trained_networks

    if model_id is not None:
        found = card(model_id)
        emit(found.to_dict(), as_json=as_json, text=_card_text(found))
        return
    every = cards()
    lines = {c.id: f"{c.title} – {c.summary} {_state(c)}" for c in every}
    taught = trained_networks()
    lines |= {str(network.path): network.line for network in taught}
    values = [c.to_dict() for c in every]
    values += [{"path": str(network.path), **network.card} for network in taught]
    emit(values, as_json=as_json, text=table(lines))


def _state(found: ModelCard) -> str:
    return f"[weights shipped: {found.trained_on}]" if found.is_trained else "[train it first]"


def _card_text(found: ModelCard) -> str:
    rows = {
        "Model": f"{found.title} ({found.id}, version {found.version})",
        "Does": found.summary,
        "Source": found.source,
        "Needs": ", ".join(f"{k} {v}" for k, v in found.needs.items()) or "nothing particular",
        "Gives": ", ".join(found.gives),
        "Weights": found.trained_on if found.is_trained else "none: it is trained on your labels",
    }
    if found.reconstruction:
        rows["Our reading"] = found.reconstruction
    for name, value in found.figures.items():
        rows[f"Measured {name}"] = value
    for number, limit in enumerate(found.limits, 1):
        rows[f"Beware {number}"] = limit
    return table(rows)
