"""The two sides' colours are told apart by people with any kind of colour blindness, in light and dark."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest

from framelens import html

# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
BLINDNESS = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
DISTANT = 25.0
"""CIE76 units of Lab; 2.3 is just noticeable, 25 is another colour."""


def lab(colour: str, blindness: str) -> np.ndarray:
    """A ``#rrggbb`` or ``#rgb`` colour in Lab, as somebody sees it."""
    digits = colour.removeprefix("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    share = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(BLINDNESS[blindness]) @ linear, 0, 1)
    xyz = (np.array(TO_XYZ) @ seen) / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def pairs() -> list[tuple[str, str]]:
    """The colours of the underlines for state and independent, in light and dark, of fragment and page."""
    page = (resources.files("framelens") / "serve" / "page" / "page.css").read_text(encoding="utf-8")
    found = []
    for css, state, independent in (
        (html.CSS, r"\.fl-s\{text-decoration[^#}]*(#\w+)", r"\.fl-i\{text-decoration[^#}]*(#\w+)"),
        (page, r"--state: (#\w+)", r"--independent: (#\w+)"),
    ):
        found += list(zip(re.findall(state, css), re.findall(independent, css), strict=True))
    return found


def test_there_is_a_pair_for_light_and_one_for_dark_of_each() -> None:
    assert len(pairs()) == 4


@pytest.mark.parametrize("blindness", list(BLINDNESS))
@pytest.mark.parametrize("pair", pairs())
def test_the_two_sides_are_told_apart(pair: tuple[str, str], blindness: str) -> None:
    state, independent = (lab(colour, blindness) for colour in pair)
    assert np.linalg.norm(state - independent) > DISTANT
