"""Files of the first version, in which some hyperparameters had other names and values."""

from __future__ import annotations

import re

RENAMED = {
    "feature_droprate": "input_droprate", "hide_patches": "dropblock",
    "hide_block": "dropblock_size", "hide_pixels": "random_erasing", "views": "augmented_copies",
}  # fmt: skip


def formerly(text: str, **renamed: str) -> str:
    """The JSON of a record as the first version wrote it; `views` counted the image itself too.

    `renamed` has the present names of keys that only this record has, by the former ones.
    """
    for former, name in (RENAMED | renamed).items():
        assert f'"{name}": ' in text
        text = text.replace(f'"{name}": ', f'"{former}": ')
    return re.sub(r'"views": (\d+)', lambda found: f'"views": {int(found[1]) + 1}', text)
