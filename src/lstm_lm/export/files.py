"""Where the exported model of this checkout is. Imports no TensorFlow, so that a missing model is reported at once."""

from pathlib import Path

from lstm_lm.errors import UserError

SAVED_MODEL = Path("models/saved_model")
SAVED_MODEL_FILES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/vocabulary.txt",
    "assets/tokenizer.json",
)


def find_saved_model() -> Path:
    """Return the folder of this checkout's SavedModel.

    Raises:
        UserError: no model has been trained yet, or its folder is incomplete.
    """
    missing = [name for name in SAVED_MODEL_FILES if not (SAVED_MODEL / name).is_file()]
    if len(missing) == len(SAVED_MODEL_FILES):
        raise UserError(f"there is no model in {SAVED_MODEL}: train one first, with: make repro")
    if missing:
        raise UserError(f"the model in {SAVED_MODEL} is incomplete: {missing[0]} is missing: restore it with dvc checkout, or: make repro")
    return SAVED_MODEL
