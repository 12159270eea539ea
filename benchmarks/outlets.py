"""A drawing of what several articles of one outlet are worth: ``python -m benchmarks.outlets OUT.svg``."""

from __future__ import annotations

from pathlib import Path

import click

from framelens.artifact import load_model
from framelens.predictor import CHAMPION
from framelens_train.evaluate.plots import outlets_figure, svg


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False, writable=True))
def main(out: Path) -> None:
    """Draw the champion's macro-F1 by the number of articles answered together, from its manifest."""
    out.write_text(svg(outlets_figure(load_model(CHAMPION).manifest["metrics"])), encoding="utf-8")


if __name__ == "__main__":
    main()
