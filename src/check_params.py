"""Is params.yaml valid? Asked by `make repro` before DVC, which removes a stage's outputs before it runs the stage."""

from lstm_lm import console, params

if __name__ == "__main__":
    console.run(params.load)
