"""Can the pipeline begin? Asked by `make repro` before DVC, which removes a stage's outputs before it runs the stage."""

from lstm_lm import console, params, tracking


def main():
    tracking.probe(params.load().tracking)


if __name__ == "__main__":
    console.run(main)
