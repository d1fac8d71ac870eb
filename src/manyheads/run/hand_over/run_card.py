"""The model card in a run folder: `MODEL_CARD.md`, written as a sweep or a fit ends."""

from __future__ import annotations

from pathlib import Path

from manyheads.core.places import write_text
from manyheads.run.hand_over.card_facts import CardFacts
from manyheads.run.hand_over.card_page import Licences, model_card

RUN_CARD = "MODEL_CARD.md"


def write_run_card(run: Path, facts: CardFacts) -> None:
    """Write the card of a run's model to the run folder, whole or not at all.

    What it says of use is left to the folder of `write_hub_folder`: the model in the run folder
    takes preprocessed images and gives logits.
    """
    write_text(run / RUN_CARD, model_card(facts, (), Licences()))
