"""Writes the MLflow models that the section `serving` compares: this project's, and one that returns a constant."""

import json
import sys
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import Model

from lstm_lm.tracking import mlflow_model
from ours_text import save

SOURCE = Path(__file__).resolve().parents[2] / "src"
CONSTANT = """\
import mlflow
import pandas as pd


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"text": ["to be or not to be"] * len(model_input)})


mlflow.models.set_model(Constant())
"""


def main() -> None:
    """Write `ours` and `constant` into a folder. Arguments: settings as JSON, the folder."""
    config, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    saved_model = save(config, folder)
    sources = mlflow_model.Sources(saved_model, SOURCE / "lstm_lm/serving/pyfunc.py", SOURCE / "lstm_lm_serving")
    mlflow_model.save(folder / "ours", Model(), sources)
    code = folder / "constant.py"
    code.write_text(CONSTANT)
    example = pd.DataFrame({"prompt": ["to be"]})
    mlflow.pyfunc.save_model(
        folder / "constant", python_model=str(code), signature=mlflow_model.signature(), input_example=example, pip_requirements=[]
    )


if __name__ == "__main__":
    main()
