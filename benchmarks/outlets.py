"""What several articles of one outlet are worth together, drawn from a model's manifest.

``python -m benchmarks.outlets docs/outlets.svg`` draws the champion's.
"""

from __future__ import annotations

from pathlib import Path

import click

from framelens.artifact import load_model
from framelens.predictor import CHAMPION
from framelens_train.evaluate.plots import outlets_figure, svg


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", type=click.Path(path_type=Path), default=CHAMPION, help="The champion if not given.")
def main(out: Path, model: Path) -> None:
    """Draw macro-F1 by the number of articles answered together."""
    out.write_text(svg(outlets_figure(load_model(model).manifest["metrics"])), encoding="utf-8")


if __name__ == "__main__":
    main()
