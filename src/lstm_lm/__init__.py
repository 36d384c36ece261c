"""A word-level LSTM language model: data, model, training, evaluation, export and serving."""
