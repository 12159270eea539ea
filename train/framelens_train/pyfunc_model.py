"""The runtime as an MLflow model: a text column in, one row a text out.

MLflow copies this file into the model and runs it there ("models from code"), so nothing is pickled. The
model proper is the artifact: a folder as `framelens.artifact.save_model` writes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

if TYPE_CHECKING:
    import pandas as pd

COLUMN = "text"


class FrameLensModel(PythonModel):
    """Answers with the columns of the signature, in the order of the texts."""

    _skip_type_hint_validation = True  # it takes more than one type, and says itself what it does not take

    def load_context(self, context: Any) -> None:
        """Read and check the model's folder."""
        import framelens

        self.model = framelens.load(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row a text: label, p_state, score, reasons (joined by commas).

        Parameters
        ----------
        model_input
            A DataFrame with a column ``text`` (or of one column only), a Series, an array, a list of
            strings, or one string; in place of a DataFrame, a dict of its columns or a list of its rows as
            dicts.

        Raises
        ------
        ValueError
            For a DataFrame of several columns none of which is ``text``.
        """
        import pandas as pd

        texts = texts_of(model_input)
        found = [prediction.to_dict() for prediction in self.model.predict_batch(texts)]
        table = pd.DataFrame(found, columns=["label", "p_state", "score", "reasons"])
        table["reasons"] = [",".join(reasons) for reasons in table["reasons"]]
        return table


def texts_of(model_input: Any) -> list[Any]:
    """The texts in whatever MLflow hands over, one an article."""
    import numpy as np

    # MLflow's server makes arrays of JSON: of a list, but also of each string in it, without a dimension
    items = _items(model_input.tolist() if isinstance(model_input, np.ndarray) else model_input)
    return [item.item() if isinstance(item, np.ndarray) and item.ndim == 0 else item for item in items]


def _items(model_input: Any) -> list[Any]:
    import pandas as pd

    if isinstance(model_input, str):
        return [model_input]
    if isinstance(model_input, dict) or (isinstance(model_input, list) and _are_rows(model_input)):
        model_input = pd.DataFrame(model_input)
    if isinstance(model_input, pd.DataFrame):
        if COLUMN in model_input.columns:
            return list(model_input[COLUMN])
        if model_input.shape[1] != 1:
            names = ", ".join(map(str, model_input.columns))
            raise ValueError(f"the model reads the column 'text'; the input has {names}: rename one of them")
        return list(model_input.iloc[:, 0])
    return list(model_input)


def _are_rows(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items)


set_model(FrameLensModel())
